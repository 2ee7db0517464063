"""Cutting a machine's history into lives, and saying how much of each was left.

The rule is point-in-time: a row belongs to the life it was measured in, its
remaining life comes from that life's own end, and a life that has not ended in
a failure gives none (censored) however long it already lasted.

Where nobody wrote down when a life began, its age counts from the machine's first
row: that is how long it is known, not how old it is, and ``begun`` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.declared.machines import Life

Times = NDArray[np.int64]

FIRST_SEEN, AFTER_REPAIR, AFTER_FAILURE = 0, 1, 2  # of ``begun``


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """When a life ended: in a failure, or by a repair that came first."""

    time_us: int
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What a life had before the span that is looked at."""

    rows: int
    began_us: int  # its first row
    since_us: int  # where the span begins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lives:
    """Aligned with the rows given; ``age`` and ``remaining`` in units of life."""

    number: NDArray[np.int32]  # from 1
    row: NDArray[np.int64]  # how many the life had before this one
    age: NDArray[np.float32]  # 0 at the first row of a life
    remaining: NDArray[np.float32]  # NaN: censored
    begun: NDArray[np.int8]  # how this life began: FIRST_SEEN, AFTER_REPAIR or AFTER_FAILURE
    broken: NDArray[np.bool_]  # from a failure to the repair that followed


def cut(times_us: Times, ends: Sequence[End], life: Life, before: Before | None = None) -> Lives:
    """The lives of one machine; ``times_us`` rise; a row at the moment of an end belongs to that life.

    ``before``: of the life that goes on where the span begins.
    """
    ordered = sorted(ends, key=lambda end: (end.time_us, not end.failed))
    limits = np.array([end.time_us for end in ordered], np.int64)
    place = np.searchsorted(limits, times_us, side="left")
    _, first, number, count = np.unique(place, return_index=True, return_inverse=True, return_counts=True)
    number = number.reshape(-1)
    started, last = first[number], (first + count - 1)[number]
    failures = np.array([end.failed for end in ordered] + [False])
    failed, repaired = failures[place], (place < len(ordered)) & ~failures[place]
    begun = np.array([FIRST_SEEN, *(_beginning(end) for end in ordered)], np.int8)[place]
    row = np.arange(len(times_us)) - started
    if before is not None and _goes_on(before, times_us, limits):
        row[number == 0] += before.rows
        lived = np.where(number == 0, before.began_us, times_us[started])
    else:
        lived = times_us[started]
    if life.measured_in == "readings":
        measure, until, age, unit = np.arange(len(times_us)), last, row, 1.0
    else:
        measure, age, unit = times_us, times_us - lived, life.us_per_unit
        until = np.append(limits, np.iinfo(np.int64).max)[place]
    return Lives(
        number=(number + 1).astype(np.int32),
        row=row,
        age=(age / unit).astype(np.float32),
        remaining=np.where(failed, (until - measure) / unit, np.nan).astype(np.float32),
        begun=begun,
        broken=(begun == AFTER_FAILURE) & repaired,
    )


def _goes_on(before: Before, times_us: Times, limits: Times) -> bool:
    """Whether the first row still belongs to the life that the span began in."""
    if not len(times_us):
        return False
    between = (limits >= before.since_us) & (limits < times_us[0])
    return not bool(between.any())


def _beginning(end: End) -> int:
    """Of the life that follows ``end``."""
    return AFTER_FAILURE if end.failed else AFTER_REPAIR
