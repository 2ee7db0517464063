"""How far the truth may lie from a prediction: conformal intervals by machine, binned by predicted value.

Rows of one machine resemble each other, so a quantile over rows promises too
much. Here a *machine* is the unit: each weighs the same, however many rows it
has, and one more, unseen machine is counted as infinitely wrong. That gives
the stated coverage for a row drawn from a new machine (hierarchical conformal
prediction: Lee, Barber & Willett, "Distribution-free inference with
hierarchical data", 2023, sec. 3). Device and gate call the same ``apply``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.errors import KernelInputError

Floats = NDArray[np.float64]


class Table(Protocol):
    """What ``apply`` needs: an ``Interval``, or the table of the same fields in a bundle's manifest."""

    @property
    def edges(self) -> Sequence[float]: ...
    @property
    def lower(self) -> Sequence[float]: ...
    @property
    def upper(self) -> Sequence[float]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Bin i holds predictions from ``edges[i]`` up to ``edges[i + 1]``; the first reaches down, the last up.

    ``lower`` and ``upper`` are distances (>= 0) below and above a prediction of the bin.
    """

    coverage: float
    edges: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 < self.coverage < 1:
            raise KernelInputError("coverage", self.coverage, "a share between 0 and 1")
        if not len(self.edges) == len(self.lower) == len(self.upper) >= 1:
            sizes = (len(self.edges), len(self.lower), len(self.upper))
            raise KernelInputError("edges, lower and upper", sizes, "equally many, at least one each")
        if not np.isfinite((self.edges, self.lower, self.upper)).all():
            raise KernelInputError("edges, lower and upper", "NaN or infinity", "finite numbers")
        if (np.diff(self.edges) <= 0).any():
            raise KernelInputError("edges", self.edges, "rising numbers")
        if min(*self.lower, *self.upper, 0.0) < 0:
            raise KernelInputError("lower and upper", (self.lower, self.upper), "distances of at least 0")


def apply(interval: Table, predicted: ArrayLike) -> tuple[Floats, Floats]:
    """(low, high) for predictions of any shape: 0 <= low <= high, as no life is negative.

    Give it the float32 that the model put out, on the device and at the gate
    alike: a prediction rounded otherwise may fall into another bin.
    """
    predicted = np.asarray(predicted, np.float64)
    index = bins(interval.edges, predicted)
    low = np.maximum(predicted - np.asarray(interval.lower)[index], 0.0)
    return low, np.maximum(predicted + np.asarray(interval.upper)[index], low)


def calibrate(
    predicted: ArrayLike,
    truth: ArrayLike,
    groups: ArrayLike,
    *,
    coverage: float = 0.9,
    edges: Sequence[float] = (0.0,),
) -> Interval:
    """The interval that covers the truth of a new machine's row with probability ``coverage``.

    ``predicted`` and ``truth``: [n] of machines the model has not seen; ``groups``:
    [n] machine (or life) of each row. Each side misses (1 - coverage) / 2. That needs
    2 / (1 - coverage) - 1 machines in a bin (19 for 0.9); a bin with fewer takes its
    largest miss, and at least the distance of all bins together: wide, but finite and without the proof.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    groups = np.unique(np.asarray(groups), return_inverse=True)[1]
    _check_rows(predicted, truth, groups)
    level = 1 - (1 - coverage) / 2
    index = bins(edges, predicted)
    below, above = (
        _distances(miss, groups, index, level=level, count=len(edges))
        for miss in (predicted - truth, truth - predicted)
    )
    return Interval(coverage=coverage, edges=tuple(map(float, edges)), lower=below, upper=above)


def bins(edges: Sequence[float], predicted: Floats) -> NDArray[np.intp]:
    """Which bin each prediction falls into."""
    return np.maximum(np.searchsorted(np.asarray(edges, np.float64), predicted, side="right") - 1, 0)


def _distances(
    miss: Floats, groups: NDArray[np.intp], index: NDArray[np.intp], *, level: float, count: int
) -> tuple[float, ...]:
    """One side: for each bin the distance that a ``level`` of machines' rows stay within."""
    overall = _quantile(miss, groups, level)
    overall = overall if np.isfinite(overall) else float(miss.max())
    found = []
    for number in range(count):
        inside = index == number
        distance = _quantile(miss[inside], groups[inside], level)
        if not np.isfinite(distance):  # too few machines here
            distance = max(overall, miss[inside].max(initial=overall))
        found.append(max(float(distance), 0.0))
    return tuple(found)


def _quantile(miss: Floats, groups: NDArray[np.intp], level: float) -> float:
    """The ``level`` quantile where K machines weigh 1 / (K + 1) each and infinity weighs the rest."""
    if not len(miss):
        return np.inf
    _, member, rows = np.unique(groups, return_inverse=True, return_counts=True)
    weight = 1 / (rows[member] * (len(rows) + 1))
    order = np.argsort(miss, kind="stable")
    reached = np.cumsum(weight[order])
    place = int(np.searchsorted(reached, level - 1e-12))  # sums of 1/n fall short of 1 by rounding
    return float(miss[order[place]]) if place < len(miss) else np.inf


def _check_rows(predicted: Floats, truth: Floats, groups: NDArray[np.intp]) -> None:
    if not predicted.shape == truth.shape == groups.shape or predicted.ndim != 1 or not len(predicted):
        shapes = (predicted.shape, truth.shape, groups.shape)
        raise KernelInputError("predicted, truth and groups", shapes, "equally long, at least one row")
    if not (np.isfinite(predicted).all() and np.isfinite(truth).all()):
        raise KernelInputError("predicted and truth", "NaN or infinity", "finite numbers")
