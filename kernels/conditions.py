"""Operating conditions: which of the known ways of running a machine a reading belongs to, if any.

A signal says little about wear while it follows how the machine is run. So a
model learns, on its training machines only, where the conditions lie and what
every scalar does in each; the table travels with the release, and device and
hub read it with the same code. A reading far from all that was learnt belongs
to none: better no answer than one for another condition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.compiled import compiled
from kernels.errors import KernelInputError

UNKNOWN = -1

Floats = NDArray[np.float64]


class Table(Protocol):
    """What the functions here need: a ``ConditionTable``, or the table of the same fields in a manifest."""

    @property
    def signals(self) -> Sequence[str]: ...
    @property
    def scale(self) -> Sequence[float]: ...
    @property
    def centres(self) -> Sequence[Sequence[float]]: ...
    @property
    def radius(self) -> Sequence[float]: ...
    @property
    def scalars(self) -> Sequence[str]: ...
    @property
    def mean(self) -> Sequence[Sequence[float]]: ...
    @property
    def spread(self) -> Sequence[Sequence[float]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionTable:
    """``centres`` [c][s] and ``radius`` [c] are in units of ``scale`` [s], one for each of ``signals``.

    ``mean`` and ``spread`` [c][k] say what each of ``scalars`` does in a condition, in its unit;
    a spread of 0 marks one that was constant there.
    """

    signals: tuple[str, ...]
    scale: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    radius: tuple[float, ...]
    scalars: tuple[str, ...]
    mean: tuple[tuple[float, ...], ...]
    spread: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        count, settings, scalars = len(self.centres), len(self.signals), len(self.scalars)
        shapes = {
            "scale": (len(self.scale),) == (settings,),
            "radius": (len(self.radius),) == (count,),
            "centres": count > 0 and {len(row) for row in self.centres} == {settings},
            "mean": len(self.mean) == count and {len(row) for row in self.mean} == {scalars},
            "spread": len(self.spread) == count and {len(row) for row in self.spread} == {scalars},
        }
        if wrong := [name for name, fits in shapes.items() if not fits]:
            wanted = f"tables of {count} conditions by {settings} signals and {scalars} scalars"
            raise KernelInputError("conditions", f"other sizes of {', '.join(wrong)}", wanted)
        parts = (self.scale, self.radius, *self.centres, *self.mean, *self.spread)
        if not all(np.isfinite(part).all() for part in parts):
            raise KernelInputError("conditions", "NaN or infinity", "finite numbers")
        if (
            min(self.scale) <= 0
            or min(self.radius) < 0
            or min(min(row, default=0) for row in self.spread) < 0
        ):
            raise KernelInputError("conditions", "a size below 0", "scales above 0, radii and spreads from 0")


class Map(NamedTuple):
    """Where a table's conditions lie, as compiled code takes it."""

    scale: Floats  # [s]
    centres: Floats  # [c, s]
    radius: Floats  # [c]


def map_of(table: Table) -> Map:
    return Map(
        scale=np.array(table.scale, np.float64),
        centres=np.array(table.centres, np.float64).reshape(len(table.centres), len(table.signals)),
        radius=np.array(table.radius, np.float64),
    )


def assign(table: Table, settings: ArrayLike) -> NDArray[np.int64]:
    """The condition of each of ``settings`` [..., s] (values of ``table.signals``), or ``UNKNOWN``.

    The nearest centre, unless it lies farther away than its radius; a NaN belongs to none.
    """
    values = np.array(settings, np.float64, ndmin=1)
    if values.shape[-1] != len(table.signals):
        raise KernelInputError("settings", values.shape, f"values of {', '.join(table.signals)}")
    found = np.empty(values.shape[:-1], np.int64)
    _place_all(values.reshape(-1, values.shape[-1]), map_of(table), found.reshape(-1))
    return found


@compiled
def place(settings, where):
    """The condition of one reading's ``settings`` [s]."""
    nearest, least = UNKNOWN, np.inf
    for number in range(len(where.centres)):
        distance = 0.0
        for signal in range(len(where.scale)):
            step = settings[signal] / where.scale[signal] - where.centres[number, signal]
            distance += step * step
        if distance < least:  # never for NaN
            nearest, least = number, distance
    if nearest != UNKNOWN and np.sqrt(least) > where.radius[nearest]:
        return UNKNOWN
    return nearest


@compiled
def _place_all(settings, where, found):
    for index in range(len(settings)):
        found[index] = place(settings[index], where)
