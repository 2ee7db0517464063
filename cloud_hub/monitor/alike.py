"""Rows under one condition in bands, counted so that any stretches can be held against any other machines."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cloud_hub.monitor.distances import PLACES, ks, psi
from cloud_hub.monitor.sketch import LEAST_ROWS, Coded

LEAST_BAND = 50  # rows of a band, to know what it looks like

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distance:
    psi: Floats  # [variables]
    ks: Floats  # [variables]
    alike: float  # share of the rows that there was the like of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Only stretches with enough rows are in it; each counts the same, however many rows it has."""

    shape: tuple[int, int, int]  # bands, variables, places
    stretch: Numbers  # [n] of each row
    machine: Numbers  # [n]
    cell: Numbers  # [n, variables] where in ``shape`` each value falls

    @classmethod
    def of(cls, rows: Coded, *, condition: int, banding: int, variables: Numbers, bands: int) -> Self:
        """``banding`` 0 is by predicted health, 1 by age; rows of no band are left out."""
        under = (rows.condition == condition) & (rows.bands[:, banding] >= 0)
        count = np.bincount(rows.stretch[under], minlength=rows.stretch.max(initial=0) + 1)
        own = under & (count[rows.stretch] >= LEAST_ROWS)
        band = rows.bands[own, banding].astype(np.int64)
        place = rows.places[own][:, variables].astype(np.int64)
        return cls(
            shape=(bands, len(variables), PLACES),
            stretch=rows.stretch[own].astype(np.int64),
            machine=rows.machine[own].astype(np.int64),
            cell=(band[:, None] * len(variables) + np.arange(len(variables))) * PLACES + place,
        )

    @property
    def stretches(self) -> Numbers:
        return np.unique(self.stretch)

    @property
    def machines(self) -> Numbers:
        return np.unique(self.machine)

    def total(self) -> Floats:
        """[bands, variables, places] rows."""
        return self._counted(self.cell, None)

    def by_machine(self) -> dict[int, Floats]:
        """``total`` of each machine."""
        return {
            int(number): self._counted(self.cell[self.machine == number], None) for number in self.machines
        }

    def mean(self, stretches: Numbers) -> Floats:
        """[bands, variables, places] shares of the rows of ``stretches``, summing to 1 for each variable."""
        first = np.searchsorted(self.stretch, stretches, "left")  # rows come sorted by stretch
        count = np.searchsorted(self.stretch, stretches, "right") - first
        rows = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
        return self._counted(self.cell[rows], np.repeat(1 / (count * len(stretches)), count))

    def _counted(self, cell: Numbers, weights: Floats | None) -> Floats:
        spread = None if weights is None else np.repeat(weights, cell.shape[1])
        found = np.bincount(cell.ravel(), spread, minlength=int(np.prod(self.shape)))
        return found.reshape(self.shape).astype(np.float64)


def distance(now: Floats, rest: Floats) -> Distance:
    """Of shares from what ``rest``, in rows, would be if as many of them were in each band."""
    known = rest[:, 0].sum(axis=-1) >= LEAST_BAND
    mix = np.where(known, now[:, 0].sum(axis=-1), 0.0)
    alike = float(mix.sum())
    if alike <= 0:
        nothing = np.zeros(now.shape[1])
        return Distance(psi=nothing, ks=nothing, alike=0.0)
    found = now[known].sum(axis=0) / alike
    shares = rest[known] / rest[known].sum(axis=-1, keepdims=True)
    expected = np.tensordot(mix[known] / alike, shares, axes=1)
    return Distance(psi=psi(found, expected), ks=ks(found, expected), alike=alike)
