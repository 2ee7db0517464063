"""What alarms were worth, by the truth that only a simulator knows. Pure.

An alarm begins where a rule opens while none is open, belongs to the life it begins in,
and ends where none is open any more. By the truth of that life:

- it is *false* if it begins while nothing is damaged (also in a life that fails later), if it is taken
  back before the failure of a life that fails, or if it is still open ``GRACE_H`` hours after the machine
  runs again, as new;
- a failure is *caught* if an alarm begins while the machine is damaged, with at least ``LEAST_LEFT`` of the
  whole life left, and is open until the failure;
- an alarm on damage that an overhaul ends, or that the end of the recording leaves open, is neither.

A failure counts if the machine was watched for a day or more before ``LEAST_LEFT`` of its life was left.
``lenient`` spares a rule all that depends on how long its alarms stay open: an alarm that is taken back
on a damaged machine is not false and catches all the same, and none is too long open.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.examples import Mask
from wire.clock import MICROSECONDS, to_us

HOUR_US = 3600 * MICROSECONDS
MONTH_H = 730.5
LEAST_LEFT = 0.1
GRACE_H = 48
WATCHED_H = 24  # before a failure is one that could have been caught

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueLife:
    """Times are UTC microseconds."""

    start_us: int
    end_us: int
    failed: bool
    fault: str  # what wore out
    damaged_us: int | None  # None: sound to its end

    @property
    def late_us(self) -> int:
        """When ``LEAST_LEFT`` of it is left."""
        return self.end_us - round(LEAST_LEFT * (self.end_us - self.start_us))

    def damaged_at(self, time_us: int) -> bool:
        return self.damaged_us is not None and time_us >= self.damaged_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """An alarm that caught a failure."""

    place: int  # the row at which it began
    life: TrueLife
    left: float  # share of the life


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Of the alarms on some machines."""

    failures: int
    missed: tuple[TrueLife, ...]
    catches: tuple[Catch, ...]
    false_alarms: int
    months: float  # machine-months in operation while watched

    @classmethod
    def sum(cls, parts: Iterable["Worth"]) -> Self:
        every = list(parts)
        return cls(
            failures=sum(part.failures for part in every),
            missed=tuple(life for part in every for life in part.missed),
            catches=tuple(catch for part in every for catch in part.catches),
            false_alarms=sum(part.false_alarms for part in every),
            months=sum(part.months for part in every),
        )

    @property
    def caught_share(self) -> float:
        return len(self.catches) / max(self.failures, 1)

    @property
    def false_per_month(self) -> float:
        return self.false_alarms / self.months if self.months else 0.0


def read_lives(lines: Iterable[str]) -> Mapping[str, Sequence[TrueLife]]:
    """By machine, the lives in a truth directory's ``failures.jsonl``, oldest first."""
    lives: dict[str, list[TrueLife]] = {}
    for row in map(json.loads, lines):
        start, end, damaged = (
            to_us(datetime.fromisoformat(row[name])) if row[name] else None
            for name in ("start", "end", "damaged")
        )
        life = TrueLife(
            start_us=start or 0,
            end_us=end or 0,
            failed=row["failure"] is not None,
            fault=row["mode"],
            damaged_us=damaged,
        )
        lives.setdefault(row["machine"], []).append(life)
    return lives


def worth(
    times: Times, active: Mask, lives: Sequence[TrueLife], *, first: int = 0, lenient: bool = False
) -> Worth:
    """Of one machine. ``times`` [n] rise; ``active`` [n]: was an alarm open after this reading?

    ``first``: the place of the first reading, that others are counted from.
    """
    alarms = _alarms(times, active, first)
    watched = [life for life in lives if life.start_us < times[-1] and life.end_us > times[0]]
    found = [(life, *_judge(life, alarms, lenient=lenient)) for life in watched]
    counted = [(life, catch) for life, catch, _false in found if _counts(life, times)]
    hours = [(min(life.end_us, times[-1]) - max(life.start_us, times[0])) / HOUR_US for life in watched]
    return Worth(
        failures=len(counted),
        missed=tuple(life for life, catch in counted if catch is None),
        catches=tuple(catch for _life, catch in counted if catch is not None),
        false_alarms=sum(false for _life, _catch, false in found),
        months=float(sum(hours)) / MONTH_H,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alarm:
    place: int  # of the row at which it begins
    from_us: int
    until_us: int  # the first row after which it is closed, or the last one there is
    closed: bool  # whether it was, before the recording ended


def _alarms(times: Times, active: Mask, first: int) -> list[_Alarm]:
    edges = np.diff(active.astype(np.int8), prepend=0, append=0)
    return [
        _Alarm(
            place=first + int(opened),
            from_us=int(times[opened]),
            until_us=int(times[min(int(closed), len(times) - 1)]),
            closed=bool(closed < len(times)),
        )
        for opened, closed in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
    ]


def _judge(life: TrueLife, alarms: Sequence[_Alarm], *, lenient: bool) -> tuple[Catch | None, int]:
    """The first alarm that catches its failure, and how many are false."""
    catch, false = None, 0
    for alarm in alarms:
        if not life.start_us <= alarm.from_us <= life.end_us:
            continue
        damaged = life.damaged_at(alarm.from_us)
        withdrawn = life.failed and alarm.closed and alarm.until_us <= life.end_us
        stuck = alarm.until_us > life.end_us + GRACE_H * HOUR_US
        false += not damaged or (not lenient and (withdrawn or stuck))
        if catch is None and damaged and (lenient or not withdrawn) and alarm.from_us <= life.late_us:
            left = (life.end_us - alarm.from_us) / (life.end_us - life.start_us)
            catch = Catch(place=alarm.place, life=life, left=left)
    return catch, false


def _counts(life: TrueLife, times: Times) -> bool:
    """Whether it failed while watched, and was watched before it was too late."""
    early_us = times[0] + WATCHED_H * HOUR_US
    return bool(life.failed and life.end_us <= times[-1] and life.late_us >= early_us)
