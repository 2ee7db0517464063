"""Why rows are missing: what devices and hub wrote down about the time, or a repair in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cloud_hub.dataset.judging import Judged
from cloud_hub.dataset.membership import Member
from cloud_hub.dataset.series import Counts, Holes
from cloud_hub.store.database import Row
from wire.clock import to_us

STOPPED = "machine-stopped"  # a failure or a repair lies at its start: there was nothing to measure
UNEXPLAINED = "unexplained"
MOST = 2000  # holes that are looked into, the longest ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One machine's holes."""

    hours: dict[str, float]  # by cause
    rows: float  # that would have fitted in, without those of a stopped machine


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A gap that somebody wrote down."""

    machine: int | None  # None: every one of the device
    since_us: float
    until_us: float
    reason: str


def explain(
    holes: Holes,
    members: Sequence[Member],
    judged: Sequence[Judged],
    gaps: Iterable[Row],
    edges: Counts,
) -> list[Missing]:
    """What is missing of each of ``members``, and why; ``gaps`` are rows of the store's table."""
    told: dict[int, list[_Told]] = {}
    for gap in gaps:
        until = to_us(gap["to_time"]) if gap["to_time"] else float("inf")
        since = to_us(gap["from_time"])
        told.setdefault(gap["device"], []).append(
            _Told(machine=gap["machine"], since_us=since, until_us=until, reason=gap["reason"])
        )
    hours: list[dict[str, float]] = [{} for _ in members]
    rows = [0.0] * len(members)
    for hole in np.argsort(-holes.rows, kind="stable")[:MOST]:
        place, row = int(holes.machine[hole]), int(holes.row[hole] - edges[holes.machine[hole]])
        after, before = int(holes.after_us[hole]), int(holes.before_us[hole])
        lives = judged[place].lives.number
        if lives[row] != lives[row + 1]:
            cause = STOPPED
        else:
            cause = _cause(members[place], told.get(members[place].device, ()), after, before)
            rows[place] += float(holes.rows[hole])
        hours[place][cause] = hours[place].get(cause, 0.0) + (before - after) / 3.6e9
    return [Missing(hours=by, rows=count) for by, count in zip(hours, rows, strict=True)]


def _cause(member: Member, told: Iterable[_Told], after_us: int, before_us: int) -> str:
    """The reason of the gap that covers most of the hole."""
    best, reason = 0.0, UNEXPLAINED
    for gap in told:
        overlap = min(gap.until_us, before_us) - max(gap.since_us, after_us)
        if gap.machine in (None, member.id) and overlap > best:
            best, reason = overlap, gap.reason
    return reason
