"""``andon model refuse``: a person's no to a model, for good."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.registry.printing import DATE
from cloud_hub.terminal import printable


def refuse(
    release: Annotated[str, typer.Argument(help="Such as motor-health/3.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit chain and whoever made it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Refuse RELEASE: nobody can approve it or roll it out any more."""
    from cloud_hub.flows.refusing import refuse as note  # noqa: PLC0415 - brings the whole hub
    from cloud_hub.hub import opened, person  # noqa: PLC0415 - as above

    with opened(HubConfig.load(config)) as hub:
        found = note(hub, release, person=person(), reason=reason)
    if as_json:
        told = {"release": found.release, "state": "refused", "refused_by": found.person}
        dated = told | {"reason": found.reason, "refused": found.refused, "new": found.new}
        typer.echo(json.dumps(dated, default=str))
    elif found.new:
        typer.echo(f"{release} is refused: nobody can approve it or roll it out any more")
    else:
        said = printable(found.reason)
        typer.echo(f"{release} was refused already, by {found.person} on {found.refused:{DATE}}: {said}")
