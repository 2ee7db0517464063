"""``andon data``: labels in, datasets out and against each other, and what had to be kept apart."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cloud_hub.config import HubConfig
from cloud_hub.dataset import printing
from cloud_hub.dataset.import_cli import import_
from cloud_hub.monitor.cli import drift
from cloud_hub.store.facts_cli import alarms, facts
from cloud_hub.store.quarantine_cli import quarantine

data_app = typer.Typer(no_args_is_help=True, help="Labels, datasets and quarantine.")
data_app.command("import")(import_)
data_app.command()(facts)
data_app.command()(alarms)
data_app.command()(drift)
data_app.add_typer(quarantine, name="quarantine")

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="Its id, from `andon data list`.")]


@data_app.command()
def snapshot(
    use_case: str,
    since: Annotated[datetime | None, typer.Option(help="Leave older rows out (UTC).")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Freeze what the store knows now about the machines of USE_CASE."""
    from cloud_hub.dataset import snapshot as datasets  # noqa: PLC0415 - brings compiled kernels and Arrow
    from cloud_hub.training import code  # noqa: PLC0415 - as above
    from models.use_case import find  # noqa: PLC0415 - as above
    from wire.clock import EPOCH  # noqa: PLC0415 - as above

    settings = HubConfig.load(config)
    chosen = find(use_case, settings.use_cases)
    start = since.replace(tzinfo=EPOCH.tzinfo) if since else None
    with settings.database(most=2) as database:
        taken = datasets.snapshot(
            database,
            _artifacts(settings),
            chosen,
            settings.time(),
            since=start,
            datasets_url=settings.datasets_url,
            code=code.version(),
        )
    _print(printing.fields(taken), as_json=as_json)


@data_app.command("list")
def list_(
    use_case: Annotated[str | None, typer.Option(help="Of this use case alone.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Every dataset, newest first."""
    from cloud_hub.dataset import snapshot as datasets  # noqa: PLC0415 - brings compiled kernels and Arrow

    settings = HubConfig.load(config)
    with settings.database(most=2) as database:
        found = [
            printing.fields(item) for item in datasets.find_all(database, _artifacts(settings), use_case)
        ]
    if as_json:
        shown = [{key: value for key, value in row.items() if key != "manifest"} for row in found]
        typer.echo(json.dumps(shown, default=str))
        return
    if not found:
        typer.echo(f"no datasets yet: `andon data snapshot {use_case or 'USE_CASE'}` makes one")
        return
    table = Table()
    for column in ("dataset", "rows", "machines", "failures", "features", "warnings", "created"):
        table.add_column(column, no_wrap=column == "dataset")
    for row in found:
        table.add_row(*printing.cells(row))
    Console().print(table)


@data_app.command()
def show(dataset: Id, as_json: AsJson = False, config: Config = None) -> None:
    """One dataset with its manifest: query, spans, rows by machine, quality; and what was made of it."""
    from cloud_hub.dataset import snapshot as datasets  # noqa: PLC0415 - brings compiled kernels and Arrow

    settings = HubConfig.load(config)
    with settings.database(most=2) as database:
        found = datasets.find(database, _artifacts(settings), dataset)
        made = datasets.made_of(database, found)
    _print(printing.fields(found) | {"made_of_it": made}, as_json=as_json)


@data_app.command()
def diff(
    first: Id,
    second: Annotated[str, typer.Argument(help="The one to compare it with, usually the newer.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """What changed from FIRST to SECOND: rows and labels by machine, distributions, versions."""
    from cloud_hub.dataset import snapshot as datasets  # noqa: PLC0415 - brings compiled kernels and Arrow
    from cloud_hub.dataset.difference import compare  # noqa: PLC0415 - as above

    settings = HubConfig.load(config)
    with settings.database(most=2) as database:
        one, other = (datasets.find(database, _artifacts(settings), name) for name in (first, second))
    found = compare(one.examples(), other.examples(), one.manifest, other.manifest)
    typer.echo(json.dumps(printing.difference(found)) if as_json else printing.difference_text(found))


def _artifacts(settings: HubConfig) -> Path:
    return settings.state_dir / "artifacts"


def _print(row: dict[str, Any], *, as_json: bool) -> None:
    typer.echo(json.dumps(row, default=str) if as_json else printing.text(row))
