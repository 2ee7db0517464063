"""``andon data``: labels in, datasets out, and what had to be kept apart."""

import json
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cloud_hub.config import HubConfig
from cloud_hub.dataset.label_lines import Line, Refusal, parse
from cloud_hub.errors import NotFoundError
from cloud_hub.store import labels
from cloud_hub.store.database import Database
from cloud_hub.store.facts_cli import alarms, facts
from cloud_hub.store.quarantine_cli import quarantine

data_app = typer.Typer(no_args_is_help=True, help="Labels, datasets and quarantine.")
data_app.command()(facts)
data_app.command()(alarms)
data_app.add_typer(quarantine, name="quarantine")

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DATE = "%Y-%m-%d %H:%M"


class Kind(StrEnum):
    LABELS = "labels"


@data_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="One JSON object a line: machine, kind, time.")],
    kind: Annotated[Kind, typer.Option(help="What the file holds.")] = Kind.LABELS,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Keep what FILE says. A bad line is named and left out, the others are kept; exit 1 if one was bad."""
    settings = HubConfig.load(config)
    now = settings.time().now()
    try:
        lines = file.read_text().splitlines()
    except UnicodeDecodeError as error:
        raise NotFoundError("text file", str(file)) from error
    read = list(parse(lines, now=now))
    with settings.database(most=2) as database:
        stored, refused = _store(database, read, source=file.name, added=now)
    if as_json:
        listed = [{"line": item.line, "reason": item.reason} for item in refused]
        typer.echo(json.dumps({"read": len(read), "stored": stored, "refused": listed}))
    else:
        typer.echo(f"{stored} new {kind.value}, {len(read) - len(refused) - stored} known before")
    for item in refused:
        typer.echo(f"error: {file}:{item.line}: {item.reason}", err=True)
    raise typer.Exit(1 if refused else 0)


@data_app.command()
def snapshot(
    use_case: str,
    since: Annotated[datetime | None, typer.Option(help="Leave older rows out (UTC).")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Freeze what the store knows now about the machines of USE_CASE."""
    from cloud_hub.dataset import snapshot as datasets  # noqa: PLC0415 - brings compiled kernels and Arrow
    from models.use_case import find  # noqa: PLC0415 - as above
    from wire.clock import EPOCH  # noqa: PLC0415 - as above

    settings, chosen = HubConfig.load(config), find(use_case)
    start = since.replace(tzinfo=EPOCH.tzinfo) if since else None
    with settings.database(most=2) as database:
        dataset = datasets.snapshot(database, _artifacts(settings), chosen, settings.time(), since=start)
    _print(_fields(dataset), as_json=as_json)


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
        found = [_fields(item) for item in datasets.find_all(database, _artifacts(settings), use_case)]
    if as_json:
        shown = [{key: value for key, value in row.items() if key != "manifest"} for row in found]
        typer.echo(json.dumps(shown, default=str))
        return
    table = Table()
    for column in ("dataset", "rows", "machines", "failures", "features", "created"):
        table.add_column(column, no_wrap=column == "dataset")
    for row in found:
        counts = (f"{row['rows']:,}", str(row["machines"]), str(row["failures"]))
        table.add_row(row["id"], *counts, row["feature_set"], f"{row['created']:{DATE}}")
    Console().print(table)


@data_app.command()
def show(
    dataset: Annotated[str, typer.Argument(help="Its id, from `andon data list`.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """One dataset with its manifest: query, spans, rows by machine, features, versions."""
    from cloud_hub.dataset import snapshot as datasets  # noqa: PLC0415 - brings compiled kernels and Arrow

    settings = HubConfig.load(config)
    with settings.database(most=2) as database:
        found = datasets.find(database, _artifacts(settings), dataset)
    _print(_fields(found), as_json=as_json)


def _store(
    database: Database, read: list[Line | Refusal], *, source: str, added: datetime
) -> tuple[int, list[Refusal]]:
    """Keep the labels machine by machine, so that an unknown one takes no other down."""
    refused = [item for item in read if isinstance(item, Refusal)]
    good = sorted((item for item in read if isinstance(item, Line)), key=lambda line: line.label.machine)
    stored = 0
    for _machine, group in groupby(good, key=lambda line: line.label.machine):
        lines = list(group)
        try:
            stored += labels.insert(database, [line.label for line in lines], source=source, added=added)
        except NotFoundError as error:
            refused += [Refusal(line=line.number, reason=str(error)) for line in lines]
    return stored, sorted(refused, key=lambda item: item.line)


def _artifacts(settings: HubConfig) -> Path:
    return settings.state_dir / "artifacts"


def _fields(dataset: Any) -> dict[str, Any]:
    names = ("id", "use_case", "hash", "rows", "machines", "feature_set", "created", "manifest")
    return {name: getattr(dataset, name) for name in names} | {
        "failures": dataset.lives,
        "path": str(dataset.path),
    }


def _print(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(row, default=str))
        return
    manifest = row["manifest"]
    first, last = (datetime.fromisoformat(text) for text in manifest["span"])
    typer.echo(
        f"{row['id']}\n"
        f"  {row['rows']:,} rows of {row['machines']} machines, {first:{DATE}} to {last:{DATE}}\n"
        f"  {manifest['failed_lives']} lives that failed, {manifest['censored_lives']} that did not\n"
        f"  {len(manifest['features'])} features of {row['feature_set']} "
        f"({manifest['feature_set_version'][:12]})\n"
        f"  SHA-256 {row['hash']}\n"
        f"  {row['path']}"
    )
