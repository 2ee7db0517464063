"""``andon audit``: read the chain of decisions, and prove that nobody changed it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.governance import audit
from cloud_hub.governance.telling import summary
from cloud_hub.store.database import Row

audit_app = typer.Typer(no_args_is_help=True, help="Who decided what, and why.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The hub's configuration file.")]


@audit_app.command("list")
def list_entries(
    subject: Annotated[str, typer.Option(help="About this release, rollout, run or device.")] = "",
    correlation: Annotated[str, typer.Option(help="Of this trace.")] = "",
    most: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List decisions, newest first; `andon audit show` tells all of one."""
    with HubConfig.load(config).database(most=1) as database, database.transaction() as connection:
        found = audit.newest(connection, subject=subject, correlation=correlation, limit=most)
    if as_json:
        typer.echo(json.dumps([_plain(row) for row in found]))
        return
    if not found:
        wanted = subject or correlation
        typer.echo(f"no decisions {'like that' if wanted else 'yet: `andon model train USE_CASE` makes one'}")
    for row in found:
        typer.echo(f"{_line(row)}  {summary(row['detail'])}".rstrip())


@audit_app.command()
def show(
    number: Annotated[int, typer.Argument(help="Its number, from `andon audit list`.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """One decision with everything that was kept of it."""
    with HubConfig.load(config).database(most=1) as database, database.transaction() as connection:
        row = audit.one(connection, number)
    if as_json:
        typer.echo(json.dumps(_plain(row)))
        return
    typer.echo(_line(row))
    if row["correlation"]:
        typer.echo(f"  correlation {row['correlation']}")
    typer.echo(json.dumps(row["detail"], sort_keys=True, indent=2))


@audit_app.command()
def verify(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Walk the whole chain; exit status 1 where an entry does not fit."""
    with HubConfig.load(config).database(most=1) as database, database.transaction() as connection:
        found = audit.verify(connection)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    elif found.broken is None:
        typer.echo(f"{found.entries} entries, unbroken; keep this head elsewhere: {found.head}")
    else:
        typer.echo(f"broken at entry {found.broken}: {found.why}; sound up to {found.entries} entries")
    raise typer.Exit(0 if found.broken is None else 1)


def _line(row: Row) -> str:
    return (
        f"{row['id']:>6}  {row['time']:%Y-%m-%d %H:%M:%S}  {row['actor']:<16} "
        f"{row['action']:<18} {row['subject']}"
    )


def _plain(row: Row) -> Row:
    return row | {"time": row["time"].isoformat()}
