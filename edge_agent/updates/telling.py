"""What is told to people about the updates of a device: where each stands, why, and how it got there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from edge_agent.updates.errors import UpdateError
from edge_agent.updates.journalled import Journalled, Step
from edge_agent.updates.record import Record
from wire.batch import ReportEvent
from wire.clock import readable


class Known(Protocol):
    """A journal, open or as its file says."""

    @property
    def records(self) -> Mapping[str, Record]: ...
    @property
    def floor_us(self) -> int: ...
    def unsent(self) -> Sequence[tuple[int, ReportEvent]]: ...
    def steps(self, use_case: str) -> Sequence[Step]: ...


def standing(known: Known) -> dict[str, Any]:
    """Every use case's record, and what waits to be reported; times for people in UTC, ISO 8601."""
    return {
        "use_cases": [_standing(record) for _, record in sorted(known.records.items())],
        "reports_waiting": len(known.unsent()),
        "time_floor_us": known.floor_us,
    }


def history(file: Path) -> dict[str, Any]:
    """:func:`standing` by the journal in ``file``, with the last steps of each use case, oldest first.

    Reads only, so a running agent is not disturbed.
    """
    try:
        known = Journalled.read(file)
    except OSError as error:
        raise UpdateError(f"{file} cannot be read: {error}") from error
    told = standing(known)
    for row in told["use_cases"]:
        row["steps"] = [step.plain() for step in known.steps(row["use_case"])]
    return told


def _standing(record: Record) -> dict[str, Any]:
    return record.to_fields() | {
        "since": readable(record.since_us) if record.since_us else "",
        "running": record.running.release if record.running else "",
        "until": record.deferral.until if record.deferral else "",
    }
