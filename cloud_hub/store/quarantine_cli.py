"""``andon data quarantine``: what could not be stored, why, and trying it again."""

import json
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cloud_hub.config import HubConfig
from cloud_hub.store.database import Database
from cloud_hub.store.quarantine import (
    Answered,
    Contents,
    Quarantined,
    answered,
    by_reason,
    payload,
    quarantined,
    show,
)
from cloud_hub.store.reasons import explain
from cloud_hub.terminal import printable

quarantine = typer.Typer(help="What could not be stored, with its reason.", invoke_without_command=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
Number = Annotated[int, typer.Argument(help="Its number, as listed.", min=1)]
PATIENCE_S = 10.0  # without any progress


@quarantine.callback()
def default(context: typer.Context, as_json: AsJson = False, config: Config = None) -> None:
    """List what waits, newest first; `explain` tells why by reason, `show` and `replay` take a number."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json, config=config)


@quarantine.command("list")
def list_(
    *,
    device: Annotated[str | None, typer.Option(help="Of this device alone.")] = None,
    reason: Annotated[str | None, typer.Option(help="For this reason alone.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was stored after all.")] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List what waits in quarantine, newest first."""
    with HubConfig.load(config).database(most=1) as database:
        found = quarantined(database, device=device, reason=reason, every=every, most=most)
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found], default=_text))
        return
    if not found:
        typer.echo("nothing waits in quarantine")
        return
    table = Table("id", "received", "device", "reason", "detail", "bytes", "times")
    for item in found:
        received = f"{item.received:%Y-%m-%d %H:%M}"
        who = printable(item.device or item.topic)
        table.add_row(
            str(item.id), received, who, item.reason, printable(item.detail), str(item.bytes), str(item.times)
        )
    Console(markup=False).print(table)
    if len(found) == most:
        typer.echo(f"the newest {most}; --most shows more, `andon data quarantine explain` counts them")


@quarantine.command("explain")
def explain_(
    reason: Annotated[str, typer.Argument(help="A reason as listed; without it, all that wait.")] = "",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say why things wait, by reason: how many, from how many devices, since when, and what to do."""
    with HubConfig.load(config).database(most=1) as database:
        found = [item for item in by_reason(database) if reason in ("", item.reason)]
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found], default=_text))
        return
    for item in found:
        span = f"{item.first:%Y-%m-%d %H:%M} to {item.last:%Y-%m-%d %H:%M}"
        typer.echo(f"{item.reason}: {item.messages} from {item.devices} device(s), {span}")
        typer.echo(f"  {item.explanation}")
    if reason and not found:
        typer.echo(f"{printable(reason)}: none waits\n  {explain(printable(reason))}")
    elif not found:
        typer.echo("nothing waits in quarantine")


@quarantine.command("show")
def show_(
    number: Number,
    save: Annotated[Path | None, typer.Option(help="Write the bytes that came to this file.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Explain one of them."""
    with HubConfig.load(config).database(most=1) as database:
        item, contents = show(database, number)
        if save is not None:
            save.write_bytes(payload(database, number))
    _print(item, contents, as_json=as_json)


@quarantine.command("replay")
def replay(
    number: Annotated[int | None, typer.Argument(help="Its number, as listed.", min=1)] = None,
    reason: Annotated[str | None, typer.Option(help="Instead: all that wait for this reason.")] = None,
    device: Annotated[str | None, typer.Option(help="Of these, this device's alone.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Try to store again; exit 1 if something is refused again or no ingest takes it up."""
    if (number is None) == (reason is None):
        raise typer.BadParameter("expected the number of a message, or --reason")
    from cloud_hub.flows.replaying import replay_all, replay_one  # noqa: PLC0415 - brings all of the hub
    from cloud_hub.hub import opened, person  # noqa: PLC0415 - as above

    with opened(HubConfig.load(config)) as hub:
        database = hub.database
        if number is None:
            asked = replay_all(hub, str(reason), device=device, actor=person())
            _tell(_await(database, asked.numbers), as_json=as_json)
            return
        replay_one(hub, number, actor=person())
        _await(database, [number])
        item, contents = show(database, number)
    _print(item, contents, as_json=as_json)
    if item.settled is None:
        waits = "it is tried as soon as an ingest process runs" if item.replay else "it was refused again"
        typer.echo(f"error: {number} was not stored: {waits}", err=True)
        raise typer.Exit(1)


def _await(database: Database, asked: list[int]) -> Answered:
    """What ingest made of it, as long as it makes something of it."""
    found, deadline = answered(database, asked), time.monotonic() + PATIENCE_S
    while found.waiting and time.monotonic() < deadline:
        time.sleep(0.1)
        before, found = found, answered(database, asked)
        if found.waiting < before.waiting:
            deadline = time.monotonic() + PATIENCE_S
    return found


def _tell(found: Answered, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        typer.echo(f"{found.stored} of {found.asked} stored, {found.refused} refused again")
    if found.waiting:
        typer.echo(f"error: {found.waiting} wait until an ingest process runs", err=True)
    if found.stored < found.asked:
        raise typer.Exit(1)


def _print(item: Quarantined, contents: Contents | None, *, as_json: bool) -> None:
    if as_json:
        fields = {**asdict(item), "contents": asdict(contents) if contents else None}
        typer.echo(json.dumps(fields, default=_text))
        return
    state = f"stored {item.settled}" if item.settled else "asked to replay" if item.replay else "waiting"
    typer.echo(f"{item.id}: {item.reason} ({state})\n  {item.explanation}\n  {printable(item.detail)}")
    typer.echo(f"  from {item.device or 'nobody known'} on {printable(item.topic)}")
    typer.echo(f"  received {item.received:%Y-%m-%d %H:%M:%S}, {item.bytes} bytes, {item.times}x")
    if item.sequence is not None:
        typer.echo(f"  epoch {item.epoch}, sequence {item.sequence}")
    if contents:
        held = f"{contents.samples} samples in {contents.series} series, {contents.rows} rows"
        typer.echo(f"  a batch of class {contents.batch_class}: {held}, {contents.events} events")
        if contents.captures:
            typer.echo(f"  {contents.captures} captures")


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
