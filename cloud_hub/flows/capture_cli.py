"""``andon device capture``: ask for the raw windows of a machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.terminal import printable


def device_capture(
    machine: Annotated[str, typer.Argument(help="Such as press-04-pump-1.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Ask for a capture of MACHINE: its device keeps the next raw windows, and the console shows them."""
    from cloud_hub.flows.capturing import ask  # noqa: PLC0415 - with the hub
    from cloud_hub.hub import opened, person  # noqa: PLC0415 - brings the job queue

    with opened(HubConfig.load(config)) as hub:
        asked = ask(hub, machine, actor=person())
    if as_json:
        typer.echo(json.dumps(asdict(asked), default=str))
        return
    device = printable(asked.device)
    when = f"{asked.asked:%Y-%m-%d %H:%M} UTC"
    typer.echo(
        f"{machine} was asked for at {when} and has not answered yet: said again, nothing else was changed"
        if asked.again
        else f"asked {device} for the next windows of {machine}"
    )
    if not asked.online:
        typer.echo(f"{device} is offline: it answers when it comes back within a day")
