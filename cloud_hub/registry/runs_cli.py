"""``andon model runs``: every training that was asked for, how far it is or what came of it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cloud_hub.config import HubConfig
from cloud_hub.registry.models import SQL
from cloud_hub.registry.printing import DATE
from cloud_hub.store.database import Row
from models.use_case import find


def runs(
    use_case: Annotated[str | None, typer.Argument(help="Of this use case alone.")] = None,
    *,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """List trainings, newest first, with the release that each one made."""
    settings = HubConfig.load(config)
    with settings.database(most=2) as database:
        asked = {"use_case": use_case, "state": None, "size": most, "offset": 0}
        found = database.rows(SQL["runs"], asked)
    if not found and use_case:
        find(use_case, settings.use_cases)  # says so where there is no such use case
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    if not found:
        typer.echo(f"no runs yet: `andon model train {use_case or 'USE_CASE'}` makes one")
        return
    table = Table()
    for column in ("run", "state", "came of it", "asked for", "because"):
        table.add_column(column, no_wrap=column == "run")
    for row in found:
        table.add_row(row["id"], row["state"], _came(row), f"{row['created']:{DATE}}", row["why"])
    Console().print(table)


def _came(row: Row) -> str:
    if row["state"] == "running":
        return f"{row['stage']}, {row['progress']:.0%} of it"
    if row["release"]:
        return f"{row['release']}, {'passed' if row['passed'] else 'refused by'} the gate"
    return str(row["error"])
