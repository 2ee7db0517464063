"""A scorecard: what one set of predictions was worth, machine by machine.

Machines are what repeats, rows of one machine are not: so every machine weighs
the same, and two scorecards over the same machines can be compared pair by pair.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kernels import interval as intervals
from models.examples import Examples

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """Errors in the clip convention, in units of life."""

    machines: tuple[str, ...]
    mean_square: tuple[float, ...]  # by machine
    mean_absolute: tuple[float, ...]  # by machine
    rows: int
    unsound: float = 0.0  # share of answers that are no number or out of range
    covered: tuple[float, ...] | None = None  # by machine, share of truths inside the interval
    width: float | None = None  # of the interval, on average

    def only(self, machines: Iterable[str]) -> Self:
        """The same card over some of its machines; ``rows``, ``unsound`` and ``width`` stay those of all."""
        wanted = frozenset(machines)
        kept = [number for number, name in enumerate(self.machines) if name in wanted]
        return replace(
            self,
            machines=tuple(self.machines[number] for number in kept),
            mean_square=tuple(self.mean_square[number] for number in kept),
            mean_absolute=tuple(self.mean_absolute[number] for number in kept),
            covered=self.covered and tuple(self.covered[number] for number in kept),
        )

    @property
    def rmse(self) -> float:
        return float(np.sqrt(np.mean(self.mean_square)))

    @property
    def mae(self) -> float:
        return float(np.mean(self.mean_absolute))

    @property
    def coverage(self) -> float | None:
        return None if self.covered is None else float(np.mean(self.covered))


def measure(
    examples: Examples, predicted: Floats, *, cap: float, interval: intervals.Table | None = None
) -> Scorecard:
    """Score [n] predictions of rows whose remaining life is known.

    An unsound answer (not a number, below 0 or above the cap) counts as wrong by the whole cap.
    """
    predicted = predicted.astype(np.float64)
    slack = 1e-3 * cap
    sound = np.isfinite(predicted) & (predicted >= -slack) & (predicted <= cap + slack)
    truth = np.minimum(examples.remaining.astype(np.float64), cap)
    error = np.where(sound, np.where(sound, predicted, 0.0) - truth, cap)
    inside, width = None, None
    if interval is not None:
        low, high = intervals.apply(interval, np.where(sound, predicted, 0.0))
        inside = sound & (low <= truth) & (truth <= high)
        width = float((np.minimum(high, cap) - np.minimum(low, cap)).mean())
    present = np.unique(examples.machine)
    own = [examples.machine == machine for machine in present]
    return Scorecard(
        machines=tuple(examples.machines[machine] for machine in present),
        mean_square=tuple(float(np.square(error[rows]).mean()) for rows in own),
        mean_absolute=tuple(float(np.abs(error[rows]).mean()) for rows in own),
        rows=len(examples),
        unsound=float(1 - sound.mean()),
        covered=None if inside is None else tuple(float(inside[rows].mean()) for rows in own),
        width=width,
    )
