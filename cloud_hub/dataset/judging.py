"""What labels say of each row of a machine: its life, whether it was sound, and which fault it had.

A failure ends a life and shows within ``faults.window`` before it; maintenance ends a
life that nobody saw fail; a verdict judges the span that it names, and where it was
asked about the very row it knows better than the window before a failure. Rows of
which two labels say the contrary are learnt as neither, and the contradiction is told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_hub.dataset.lives import FIRST_SEEN, Before, End, Lives, Times, cut
from cloud_hub.store import verdicts as said
from cloud_hub.store.labels import NewLabel
from kernels.sets import feature_set
from models.examples import FAULTY, SOUND, UNKNOWN
from models.use_case import UseCase
from wire.clock import readable, to_us

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Aligned with the rows given."""

    lives: Lives
    health: NDArray[np.int8]  # SOUND, FAULTY or UNKNOWN
    fault: NDArray[np.int16]  # index into the classes of the use case, or -1
    contradictions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    since_us: int
    until_us: int
    sound: bool
    fault: int  # -1: none named

    def rows(self, times_us: Times) -> Mask:
        found: Mask = (times_us >= self.since_us) & (times_us <= self.until_us)
        return found

    def denies(self, other: "_Verdict") -> bool:
        overlap = self.since_us <= other.until_us and other.since_us <= self.until_us
        faults = self.fault >= 0 and other.fault >= 0 and self.fault != other.fault
        return overlap and (self.sound != other.sound or faults)


def judge(
    times_us: Times, labels: Sequence[NewLabel], use_case: UseCase, *, before: Before | None = None
) -> Judged:
    """The rows of one machine under its ``labels``; ``times_us`` rise; ``before``: see ``cut``.

    Without ``[faults]`` in the use case a failure ends a life and nothing else. Of verdicts on one alarm
    the last one counts.
    """
    labels = said.standing(labels)
    ends = [
        End(time_us=to_us(label.time), failed=label.kind == "failure")
        for label in labels
        if label.kind in ("failure", "maintenance")
    ]
    lives = cut(times_us, ends, use_case.life, before)
    health, fault = np.full(len(times_us), UNKNOWN, np.int8), np.full(len(times_us), -1, np.int16)
    early, shown = _early(lives, use_case), _shown(lives, use_case)
    health[early], health[shown] = SOUND, FAULTY
    for label in labels:
        if label.kind == "failure":
            own = shown & (lives.number == _life_ended(times_us, lives, ends, to_us(label.time)))
            fault[own] = _class(label.detail.get("fault"), use_case)
    verdicts = [_verdict(label, times_us, use_case) for label in labels if label.kind == "verdict"]
    for verdict in verdicts:
        rows = verdict.rows(times_us)
        health[rows], fault[rows] = (SOUND, -1) if verdict.sound else (FAULTY, verdict.fault)
    told = []
    for text, rows in _contradictions(times_us, labels, verdicts, shown):
        health[rows], fault[rows] = UNKNOWN, -1
        told.append(text)
    return Judged(lives=lives, health=health, fault=fault, contradictions=tuple(told))


def _early(lives: Lives, use_case: UseCase) -> Mask:
    """The first rows of a life, and the first share of one that failed; not of a machine that lay broken.

    A set that measures by the opening of its memory says of a repaired machine how it differs from how it
    was then, and calling that sound would make faults usual: its first rows count in the first life alone.
    """
    share = use_case.anomaly.healthy_share
    with np.errstate(invalid="ignore"):  # NaN: the life did not fail
        young = lives.age < share * (lives.age + lives.remaining)
    first = lives.row < use_case.anomaly.healthy_rows
    if feature_set(use_case.feature_set).by_opening:
        first, young = first & (lives.begun == FIRST_SEEN), young & (lives.begun == FIRST_SEEN)
    early: Mask = (first | young) & ~lives.broken
    return early


def _shown(lives: Lives, use_case: UseCase) -> Mask:
    """The rows of failed lives that show the fault: all but the first ones, where no window is declared."""
    failed = ~np.isnan(lives.remaining)
    if use_case.faults is None:
        return np.zeros(len(failed), np.bool_)
    if use_case.faults.window is not None:
        with np.errstate(invalid="ignore"):
            near: Mask = lives.remaining <= use_case.faults.window
        return near
    whole: Mask = failed & (lives.row >= use_case.anomaly.healthy_rows)
    return whole


def _verdict(label: NewLabel, times_us: Times, use_case: UseCase) -> _Verdict:
    told = label.detail
    sound = told["verdict"] == "wrong"  # never a fault that is null: many write that for one without a name
    since, until = told.get("since"), told.get("until")
    return _Verdict(
        since_us=to_us(datetime.fromisoformat(since)) if since else int(times_us[0]) if len(times_us) else 0,
        until_us=to_us(datetime.fromisoformat(until)) if until else to_us(label.time),
        sound=sound,
        fault=-1 if sound else _class(told.get("fault"), use_case),
    )


def _contradictions(
    times_us: Times, labels: Sequence[NewLabel], verdicts: Sequence[_Verdict], shown: Mask
) -> Iterator[tuple[str, Mask]]:
    """What was said, and the rows of which two labels say the contrary."""
    for label in labels:
        moment = to_us(label.time)
        for verdict in verdicts:
            if label.kind == "failure" and verdict.sound and verdict.since_us <= moment <= verdict.until_us:
                text = f"{label.machine} failed at {readable(moment)}, and a verdict calls it sound from "
                text += f"{readable(verdict.since_us)} to {readable(verdict.until_us)}"
                yield text, verdict.rows(times_us) & (shown | (times_us == moment))
    machine = labels[0].machine if labels else ""
    for one, other in combinations(verdicts, 2):
        if one.denies(other):
            first, last = max(one.since_us, other.since_us), min(one.until_us, other.until_us)
            text = f"verdicts on {machine} deny each other from {readable(first)} to {readable(last)}"
            yield text, one.rows(times_us) & other.rows(times_us)


def _life_ended(times_us: Times, lives: Lives, ends: Sequence[End], end_us: int) -> int:
    """The number of the life that ended at ``end_us``; 0 where no row was measured in it."""
    place = int(np.searchsorted(times_us, end_us, side="right")) - 1
    if place < 0 or any(times_us[place] <= end.time_us < end_us for end in ends):
        return 0
    return int(lives.number[place])


def _class(fault: Any, use_case: UseCase) -> int:
    """The number of a fault class; -1 where none is named, or one that the use case does not know."""
    classes = use_case.faults.classes if use_case.faults else ()
    return classes.index(fault) if fault in classes else -1
