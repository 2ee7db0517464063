"""``andon model card``: the page that explains a release to whoever must trust it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.compiler.bundle_cli import assembled
from cloud_hub.config import HubConfig
from cloud_hub.errors import NotFoundError
from cloud_hub.files import write_public


def card(
    release: Annotated[str, typer.Argument(help="Such as motor-health/3.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Write the card of RELEASE, one HTML file: errors by life, calibration, slices, alarms, lineage."""
    if not out.parent.is_dir():
        raise NotFoundError("folder", str(out.parent))
    page = assembled(HubConfig.load(config), release).card_html
    write_public(out, page.encode())
    typer.echo(
        json.dumps({"release": release, "path": str(out), "bytes": len(page)}) if as_json else str(out)
    )
