"""Lives as time in service, and what they cost without any sensor: run to failure, or renew by age. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.declared.judging import Costs
from models.examples import Examples

MONTH_US = 365.25 / 12 * 86_400e6
LEAST = 1e-12  # a span of time that can be divided by
AGES = 40  # ages of renewal that are tried

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lives:
    """The [k] lives of some examples, in their order."""

    of_row: NDArray[np.intp]  # [n] the life of each row
    first: NDArray[np.intp]  # [k] its first row ...
    last: NDArray[np.intp]  # [k] ... and its last
    failed: NDArray[np.bool_]  # [k] did it end in a failure?
    length: Floats  # [k] to the failure, or to the last row, in units of life
    months: Floats  # [k] from its first row to its last


def lives_of(examples: Examples) -> Lives:
    """Cut the rows of ``examples`` where the machine or the number of its life changes."""
    begins = (np.diff(examples.machine, prepend=-1) != 0) | (np.diff(examples.life, prepend=-1) != 0)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(examples)) - 1
    left = examples.remaining[last].astype(np.float64)
    return Lives(
        of_row=np.cumsum(begins) - 1,
        first=first,
        last=last,
        failed=~np.isnan(left),
        length=examples.age[last] + np.nan_to_num(left),
        months=(examples.times[last] - examples.times[first]) / MONTH_US,
    )


def never_alarming(lives: Lives, costs: Costs) -> float:
    """Cost per machine-month of letting everything run until it fails."""
    return float(lives.failed.sum() * costs.failure / max(lives.months.sum(), LEAST))


def renewing(lives: Lives, costs: Costs, age: float) -> float:
    """Cost per machine-month of renewing every machine at ``age``, in units of life."""
    served = np.minimum(lives.length, age)
    fails, renewed = lives.failed & (lives.length < age), lives.length >= age
    months = lives.months * served / np.maximum(lives.length, LEAST)
    spent = fails.sum() * costs.failure + renewed.sum() * costs.planned
    return float(spent / max(months.sum(), LEAST))


def best_age(lives: Lives, costs: Costs) -> float | None:
    """The age of renewal that costs least on ``lives``; None where running to failure costs less."""
    lengths = lives.length[lives.failed]
    if not len(lengths):
        return None
    ages = np.linspace(lengths.min() / 4, lengths.max(), AGES)
    spent = [renewing(lives, costs, age) for age in ages]
    cheapest = int(np.argmin(spent))
    return float(ages[cheapest]) if spent[cheapest] < never_alarming(lives, costs) else None
