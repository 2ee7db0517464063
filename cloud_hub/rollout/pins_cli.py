"""``andon device pin`` and ``unpin``: keep a device on what it runs, and let it go again."""

from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.hub import opened, person
from cloud_hub.rollout import pins, show
from cloud_hub.rollout.show import AsJson, ConfigFile
from cloud_hub.store import fleet

Name = Annotated[str, typer.Argument(help="The device's name.")]
UseCase = Annotated[str, typer.Argument(help="Such as motor-health.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the audit chain.")]


def pin(
    name: Name, use_case: UseCase, reason: Reason, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """Keep a device on what it runs: no rollout of USE_CASE selects it, and no undo moves it."""
    about = {"actor": person(), "reason": reason}
    with opened(HubConfig.load(config)) as hub:
        rollout = pins.pin(hub.database, hub.clock, hub.record, name, use_case, **about)
        device = fleet.device(hub.database, name)
    if as_json:
        show.as_json(device)
        return
    typer.echo(f"device {name} is pinned for {use_case}")
    if rollout:
        typer.echo(f"  {rollout} has offered it a release already: that takes its course")


def unpin(
    name: Name, use_case: UseCase, reason: Reason = "", as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """Let rollouts of USE_CASE select a device again."""
    about = {"actor": person(), "reason": reason}
    with opened(HubConfig.load(config)) as hub:
        pins.unpin(hub.database, hub.clock, hub.record, name, use_case, **about)
        device = fleet.device(hub.database, name)
    if as_json:
        show.as_json(device)
    else:
        typer.echo(f"device {name} is no longer pinned for {use_case}")
