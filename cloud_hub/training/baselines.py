"""What can be said without any sensor: the bar that a model has to clear.

Two guesses, both from the machines that the model learnt on: the mean remaining
life, and the mean remaining life of those that got as old as this one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.examples import Examples
from models.interface import AGE, MEAN

AGES = 200  # steps of age at which the second is worked out

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """Guesses in units of life, capped like predictions."""

    mean: float
    ages: tuple[float, ...]  # rising
    by_age: tuple[float, ...]  # at each of ``ages``

    def guess(self, age: NDArray[np.float32] | Floats) -> Mapping[str, Floats]:
        """By name of the baseline, a guess for each [n] age."""
        return {
            MEAN: np.full(len(age), self.mean),
            AGE: np.interp(np.asarray(age, np.float64), self.ages, self.by_age),
        }


def learn(examples: Examples, *, cap: float) -> Baselines:
    """From rows of lives that ended in a failure; every life weighs the same."""
    known = examples.where(examples.failed)
    lengths, means = [], []
    for life in np.unique(known.lives):
        own = known.lives == life
        lengths.append(float((known.age + known.remaining)[own].max()))
        means.append(float(np.minimum(known.remaining[own], cap).mean()))
    ages = np.linspace(0.0, max(lengths), AGES)
    return Baselines(
        mean=float(np.mean(means)),
        ages=tuple(ages.tolist()),
        by_age=tuple(_left(age, lengths, cap) for age in ages.tolist()),
    )


def _left(age: float, lengths: Sequence[float], cap: float) -> float:
    """Mean of what was left to those that reached ``age``."""
    return float(np.mean([min(length - age, cap) for length in lengths if length >= age]))
