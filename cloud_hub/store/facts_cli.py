"""``andon data facts`` and ``andon data alarms``: what the database holds, counted and listed."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from cloud_hub.config import HubConfig
from cloud_hub.store import fleet
from cloud_hub.store.facts import facts as count_facts

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def facts(as_json: AsJson = False) -> None:
    """Count what is stored: samples, features, predictions, batches, quarantine, gaps."""
    with HubConfig.load().database(most=2) as database:
        found = asdict(count_facts(database))
    if as_json:
        typer.echo(json.dumps(found))
        return
    for title, counts in found.items():
        typer.echo(title.replace("_", " "))
        for name, count in sorted(counts.items()):
            typer.echo(f"  {name:<32} {count:>14,}")


def alarms(
    machine: Annotated[str | None, typer.Option(help="Of this machine alone.")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Those that are still open.")] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List alarms, newest first."""
    with HubConfig.load().database(most=2) as database:
        found = fleet.alarms(database, machine, open_only=open_only, most=most)
    if as_json:
        typer.echo(json.dumps([asdict(alarm) for alarm in found], default=_text))
        return
    if not found:
        narrowed = machine or open_only
        typer.echo("no such alarms" if narrowed else "no alarms yet: releases on devices raise them")
    for alarm in found:
        until = f"closed {alarm.closed:%Y-%m-%d %H:%M}" if alarm.closed else "open"
        typer.echo(f"{alarm.opened:%Y-%m-%d %H:%M}  {alarm.machine:<24} {until:<24} {alarm.message}")


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
