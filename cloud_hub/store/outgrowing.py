"""Whether the disk lasts: what the tables will grow to if devices go on as they do. Pure.

A table grows until the oldest of it is as old as it is kept; from then on as much goes as comes. So the
question is whether the disk is full before that, and neither is said of a table whose pace nobody knows yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_hub.store.storage import Table

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    bytes_a_day: float  # now, of all tables whose pace is known
    more_bytes: float  # until every table is as long as it is kept
    level_days: float  # when that is, from now
    full_days: float | None  # when the disk is full; None: not before that, or nobody knows how much is free
    unknown: tuple[str, ...]  # tables with rows whose pace is not known yet


def foresee(tables: Sequence[Table], free_bytes: int | None, now: datetime) -> Outlook | None:
    """None where no pace is known."""
    paced = [(table.bytes_a_day, _days_to_grow(table, now)) for table in tables if table.bytes_a_day]
    if not paced:
        return None
    return Outlook(
        bytes_a_day=sum(pace for pace, days in paced if days > 0),
        more_bytes=sum(pace * days for pace, days in paced),
        level_days=max(days for _, days in paced),
        full_days=None if free_bytes is None else _full(paced, free_bytes),
        unknown=tuple(table.name for table in tables if table.filled and table.bytes_a_day is None),
    )


def _days_to_grow(table: Table, now: datetime) -> float:
    age = (now - table.oldest) / DAY if table.oldest else 0.0
    return max(0.0, table.kept_days - age)


def _full(paced: Sequence[tuple[float, float]], free: float) -> float | None:
    """The first day by which what was added is more than ``free``; each pace ends on a day of its own."""
    began = 0.0
    for ends in sorted({days for _, days in paced if days > 0}):
        pace = sum(each for each, days in paced if days >= ends)
        if pace * (ends - began) > free:
            return began + free / pace
        free -= pace * (ends - began)
        began = ends
    return None
