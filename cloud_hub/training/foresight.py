"""What devices foresaw, held against what happened: their own predictions, matched with the truth. Pure.

Two kinds of truth, one a line: the remaining life at a machine's last prediction
(test sets), or a life from its start to its failure (simulators, maintenance logs),
against which every prediction within that life is held.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from cloud_hub.errors import DatasetError
from cloud_hub.training.baselines import Baselines
from cloud_hub.training.score import Score, rmse, score
from models.use_case import UseCase
from wire.errors import defect


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """One row as a device sent it."""

    machine: str
    time: datetime
    remaining_life: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    machine: str
    remaining_life: float | None = None  # at the machine's last prediction
    start: datetime | None = None  # else the life began here ...
    failure: datetime | None = None  # ... and failed here


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    predicted: Predicted
    truth: float
    age: float | None  # None: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """``clip`` and ``raw`` are the two conventions; baselines are RMSE in the clip convention."""

    predictions: int
    machines: int
    unforeseen: tuple[str, ...]  # machines with a truth and no prediction
    clip: Score
    raw: Score
    baselines: Mapping[str, float]
    coverage: float  # share of truths (clip) inside their interval


def read_truths(rows: Iterable[Mapping[str, Any]]) -> list[Truth]:
    """Truths from parsed lines; lives that did not fail say nothing. DatasetError names a line of no kind."""
    truths = []
    for number, row in enumerate(rows, start=1):
        try:
            if "remaining_life" in row:
                truths.append(Truth(machine=row["machine"], remaining_life=float(row["remaining_life"])))
            elif row["failure"] is not None:
                start, failure = (datetime.fromisoformat(row[key]) for key in ("start", "failure"))
                truths.append(Truth(machine=row["machine"], start=start, failure=failure))
        except (KeyError, TypeError, ValueError) as error:
            wanted = "expected machine with remaining_life, or with start and failure"
            raise DatasetError(f"line {number}: {wanted}: {defect(error)}") from error
    return truths


def match(truths: Sequence[Truth], predictions: Sequence[Predicted], use_case: UseCase) -> list[Pair]:
    """Each truth with the predictions it speaks of; ``predictions`` in time order."""
    by_machine: dict[str, list[Predicted]] = {}
    for predicted in predictions:
        by_machine.setdefault(predicted.machine, []).append(predicted)
    pairs = []
    for truth in truths:
        own = by_machine.get(truth.machine, [])
        if truth.remaining_life is not None:
            pairs += [Pair(predicted=last, truth=truth.remaining_life, age=None) for last in own[-1:]]
        elif truth.start is not None and truth.failure is not None:
            pairs += _within(truth.start, truth.failure, own, use_case)
    return pairs


def judge(
    truths: Sequence[Truth], predictions: Sequence[Predicted], guesses: Baselines, use_case: UseCase
) -> Foresight:
    """Score every match; DatasetError where there is none."""
    pairs, cap = match(truths, predictions, use_case), use_case.life.cap
    if not pairs:
        machines = len({truth.machine for truth in truths})
        raise DatasetError(f"expected predictions of {machines} machines, got none that match")
    life = np.array([pair.predicted.remaining_life for pair in pairs])
    truth = np.array([pair.truth for pair in pairs])
    capped = np.minimum(truth, cap)
    inside = [low <= right <= high for (low, high), right in zip(_intervals(pairs), capped, strict=True)]
    seen = {pair.predicted.machine for pair in pairs}
    return Foresight(
        predictions=len(pairs),
        machines=len(seen),
        unforeseen=tuple(sorted({item.machine for item in truths} - seen)),
        clip=score(life, truth, cap=cap),
        raw=score(life, truth, cap=None),
        baselines=_baselines(pairs, capped, guesses),
        coverage=float(np.mean(inside)),
    )


def _within(start: datetime, failure: datetime, own: Sequence[Predicted], use_case: UseCase) -> list[Pair]:
    if use_case.life.measured_in != "time":
        raise DatasetError(f"{use_case.name} counts readings: expected remaining_life, got start and failure")
    unit = use_case.life.us_per_unit / 1e6
    return [
        Pair(
            predicted=predicted,
            truth=(failure - predicted.time).total_seconds() / unit,
            age=(predicted.time - start).total_seconds() / unit,
        )
        for predicted in own
        if start <= predicted.time <= failure
    ]


def _intervals(pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    return [(pair.predicted.lower, pair.predicted.upper) for pair in pairs]


def _baselines(pairs: Sequence[Pair], truth: Any, guesses: Baselines) -> dict[str, float]:
    """RMSE of the trivial guesses; those by age only where every age is known."""
    ages = [pair.age for pair in pairs]
    known = np.array([np.nan if age is None else age for age in ages])
    return {
        name: rmse(guess - truth) for name, guess in guesses.guess(known).items() if np.isfinite(guess).all()
    }
