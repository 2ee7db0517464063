"""Rollouts and devices in the terminal."""

import json
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_hub.rollout.read import RolloutDetail
from cloud_hub.terminal import printable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The hub's configuration file.")]


def as_json(value: Any) -> None:
    """Print values and lists of them as one JSON document; times as ISO 8601."""
    typer.echo(json.dumps(_plain(value), default=_text))


def line(detail: RolloutDetail) -> str:
    """How a rollout stands, in one line."""
    found = detail.rollout
    states = ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))
    return (
        f"{found.id}: {found.state}, wave {found.wave} of {found.waves}: {states}; {printable(found.reason)}"
    )


def rollout(detail: RolloutDetail) -> None:
    found = detail.rollout
    typer.echo(f"{found.id}: {found.release}, {found.state}: {printable(found.reason) or 'no reason given'}")
    typer.echo(f"  started by {found.created_by} at {moment(found.created)}, trace {found.correlation}")
    for wave in detail.waves:
        counts = f"{wave.committed} committed, {wave.failed} failed, {wave.skipped} skipped, {wave.open} open"
        typer.echo(f"  wave {wave.wave} {wave.state:<8} {wave.size} devices: {counts}")
    for device in detail.devices:
        why = device.reason or device.said or ""
        runs = f"runs {device.running or 'nothing'}"
        typer.echo(f"  {device.device:<24} wave {device.wave} {device.state:<12} {runs:<24} {printable(why)}")
    for each in detail.history:
        reason = each.detail.get("reason") or ""
        typer.echo(
            f"  {moment(each.time)}  {each.actor} {each.action.removeprefix('rollout.')}  {printable(reason)}"
        )


def moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else "never"


def section(title: str, lines: Iterable[str]) -> None:
    """A titled block, left out where it is empty."""
    shown = list(lines)
    if shown:
        typer.echo(title)
        typer.echo("\n".join(f"  {printable(each)}" for each in shown))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
