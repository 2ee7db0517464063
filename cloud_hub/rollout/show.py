"""Rollouts and devices in the terminal."""

import json
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cloud_hub.rollout.preview import Preview
from cloud_hub.rollout.read import RolloutDetail, Summary
from cloud_hub.terminal import printable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The hub's configuration file.")]

NAMED = 8  # devices in a line


def as_json(value: Any) -> None:
    """Print values and lists of them as one JSON document; times as ISO 8601."""
    typer.echo(json.dumps(_plain(value), default=_text))


def line(found: Summary) -> str:
    """How a rollout stands, in one line."""
    head = found.rollout
    states = ", ".join(f"{count} {state}" for state, count in sorted(head.states.items()))
    return f"{head.id}: {head.state}, wave {head.wave} of {head.waves}: {states}; {printable(head.reason)}"


def progress(found: Summary) -> Group:
    """How a rollout stands, for a terminal that shows it change."""
    table = Table("wave", "state", "devices", "committed", "failed", "skipped", "open", box=None)
    for wave in found.waves:
        counts = (wave.size, wave.committed, wave.failed, wave.skipped, wave.open)
        table.add_row(str(wave.wave), wave.state, *map(str, counts))
    head = found.rollout
    states = ", ".join(f"{count} {state}" for state, count in sorted(head.states.items()))
    says = Text(f"{head.id}: {head.release}, {head.state}: {printable(head.reason)}", style="bold")
    return Group(says, table, Text(states))


def rollout(detail: RolloutDetail) -> None:
    found = detail.rollout
    typer.echo(f"{found.id}: {found.release}, {found.state}: {printable(found.reason) or 'no reason given'}")
    typer.echo(f"  started by {found.created_by} at {moment(found.created)}, trace {found.correlation}")
    if found.seconds_to_halt is not None:
        after = f"halted {found.seconds_to_halt:.1f} s later"
        typer.echo(f"  first failure at {moment(found.first_failure)}, {after}")
    for wave in detail.waves:
        counts = f"{wave.committed} committed, {wave.failed} failed, {wave.skipped} skipped, {wave.open} open"
        typer.echo(f"  wave {wave.wave} {wave.state:<8} {wave.size} devices: {counts}")
    for device in detail.devices:
        why = device.reason or device.said or ""
        runs = f"runs {device.running or 'nothing'}"
        typer.echo(f"  {device.device:<24} wave {device.wave} {device.state:<12} {runs:<24} {printable(why)}")
    if more := found.devices - len(detail.devices):
        typer.echo(f"  and {more} more: --all lists every device")
    for each in detail.history:
        reason = each.detail.get("reason") or ""
        typer.echo(
            f"  {moment(each.time)}  {each.actor} {each.action.removeprefix('rollout.')}  {printable(reason)}"
        )


def preview(ahead: Preview, *, as_json: bool) -> None:
    """What a rollout would do."""
    waves = [(wave, [device.name for device in devices]) for wave, devices in ahead.members()]
    if as_json:
        _preview_json(ahead, waves)
        return
    typer.echo(f"{ahead.release} to {len(ahead.devices)} devices in {len(waves)} waves; nothing was started")
    for wave, names in waves:
        approval = ", once it is approved" if wave in ahead.approvals else ""
        typer.echo(f"  wave {wave}, {len(names)} devices{approval}: {_some(names)}")
    for zone, time in ahead.opens.items():
        typer.echo(f"  devices in {zone} are offered it from {moment(time)} UTC on")
    for other in ahead.others:
        typer.echo(f"  in the way: rollout {other.id} still directs {_some(list(other.devices))}")
    left: dict[str, list[str]] = {}
    for device in ahead.left_out:
        left.setdefault(device.why, []).append(device.name)
    for why, names in left.items():
        typer.echo(f"  left out, {why}: {_some(names)}")


def _preview_json(ahead: Preview, waves: list[tuple[int, list[str]]]) -> None:
    approvals = ahead.approvals
    as_json(
        {
            "release": ahead.release,
            "waves": [{"wave": n, "approval": n in approvals, "devices": names} for n, names in waves],
            "left_out": [
                {"device": each.name, "why": each.why, "detail": each.detail} for each in ahead.left_out
            ],
            "opens": ahead.opens,
            "in_the_way": [{"rollout": other.id, "devices": list(other.devices)} for other in ahead.others],
        }
    )


def moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else "never"


def section(title: str, lines: Iterable[str]) -> None:
    """A titled block, left out where it is empty."""
    shown = list(lines)
    if shown:
        typer.echo(title)
        typer.echo("\n".join(f"  {printable(each)}" for each in shown))


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


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
