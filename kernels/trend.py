"""The feature set trend/1: how each scalar of a machine moves over its life.

For machines that live one life, such as a turbofan engine between overhauls: it
compares with the machine's own first readings and knows its age. One compiled
step serves device and hub, so both compute the same numbers from the same past.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.compiled import compiled
from kernels.errors import KernelInputError
from kernels.extractor import Row, State, read_scalars, tag_of

LONGEST = 30  # readings that are remembered one by one
FIRST = 10  # readings that say how this machine was when new
FEATURES = ("last", "mean5", "mean10", "mean30", "std30", "slope30", "mean_life", "from_start")

WIDTH = len(FEATURES)

# The state as rows of one value a scalar; the ring of the last readings follows.
_HELD, _ANCHOR, _TOTAL, _OPENING, _RING = 0, 1, 2, 3, 4
_ROWS = _RING + LONGEST


@compiled
def _mean_back(ring, column, newest, count, last):
    """Mean of the newest ``count`` values, summed as distances from the last: exact for a constant."""
    total = 0.0
    for back in range(count):
        total += ring[(newest - back) % LONGEST, column] - last
    return last + total / count


@compiled
def _spread_and_slope(ring, column, newest, count, last):
    """Population standard deviation of the newest values, and their least-squares slope per reading."""
    mean = _mean_back(ring, column, newest, count, last) - last
    middle = (count - 1) / 2.0
    squares, moment, lever = 0.0, 0.0, 0.0
    for back in range(count):
        deviation = ring[(newest - back) % LONGEST, column] - last - mean
        squares += deviation * deviation
        moment += (middle - back) * deviation
        lever += (middle - back) * (middle - back)
    return np.sqrt(squares / count), (moment / lever if lever > 0 else 0.0)


@compiled
def _features(memory, column, count, out):
    ring = memory[_RING:]
    newest = (count - 1) % LONGEST
    last = memory[_HELD, column]
    mean10 = _mean_back(ring, column, newest, min(count, 10), last)
    out[0] = last
    out[1] = _mean_back(ring, column, newest, min(count, 5), last)
    out[2] = mean10
    out[3] = _mean_back(ring, column, newest, min(count, 30), last)
    out[4], out[5] = _spread_and_slope(ring, column, newest, min(count, 30), last)
    anchor = memory[_ANCHOR, column]
    out[6] = anchor + memory[_TOTAL, column] / count
    out[7] = (mean10 - anchor) - memory[_OPENING, column] / min(count, FIRST)


@compiled
def step(counts, memory, reading, out):
    """Take one reading [k] into ``counts`` [age, kept] and ``memory`` [34, k]; has ``out`` been filled?"""
    counts[0] += 1
    known = True
    for column in range(len(reading)):
        if not np.isnan(reading[column]):
            memory[_HELD, column] = reading[column]
        known = known and not np.isnan(memory[_HELD, column])
    if not known:
        return False
    counts[1] += 1
    count = int(counts[1])
    for column in range(len(reading)):
        value = memory[_HELD, column]
        if count == 1:
            memory[_ANCHOR, column] = value
        memory[_RING + (count - 1) % LONGEST, column] = value
        memory[_TOTAL, column] += value - memory[_ANCHOR, column]
        if count <= FIRST:
            memory[_OPENING, column] += value - memory[_ANCHOR, column]
        _features(memory, column, count, out[column * WIDTH : (column + 1) * WIDTH])
    out[-1] = counts[0]
    return True


@compiled
def _life(counts, memory, readings, out):
    for index in range(len(readings)):
        if not step(counts, memory, readings[index], out[index]):
            out[index, :] = np.nan


@dataclass(frozen=True, kw_only=True)
class TrendExtractor:
    """Per scalar: the last value, means of 5, 10 and 30 readings, spread and slope of 30 (per
    reading), the mean of the life so far, and the mean of 10 less that of the first 10; then the age
    in readings (the first reading has age 1). With fewer readings, of those there are. Means and
    slopes count readings, not time. Windows are ignored.
    """

    scalars: tuple[str, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    tag: bytes

    @property
    def width(self) -> int:
        return len(self.names)

    def initial(self) -> State:
        memory = np.zeros(self._size())
        memory[2 : 2 + len(self.scalars)] = np.nan  # nothing is held yet
        return State(tag=self.tag, memory=memory)

    def restore(self, payload: bytes) -> State:
        return State.from_bytes(payload, tag=self.tag, size=self._size())

    def update(
        self, state: State, time_us: int, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> Row | None:
        reading = read_scalars(scalars, self.scalars)
        out = np.empty(self.width)
        filled = step(*self._views(state), reading, out)
        return out.astype(np.float32) if filled else None

    def batch(
        self, times: ArrayLike, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> NDArray[np.float32]:
        readings = np.atleast_2d(read_scalars(scalars, self.scalars))
        out = np.empty((len(readings), self.width))
        _life(*self._views(self.initial()), readings, out)
        return out.astype(np.float32)

    def _size(self) -> int:
        return 2 + _ROWS * len(self.scalars)

    def _views(self, state: State) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return state.memory[:2], state.memory[2:].reshape(_ROWS, len(self.scalars))


def make_trend(*, scalars: Sequence[str], units: dict[str, str]) -> TrendExtractor:
    if not scalars:
        raise KernelInputError("trend/1", "no scalars", "at least one scalar signal")
    names, kinds = [], []
    for scalar in scalars:
        unit = units.get(scalar, "1")
        names += [f"{scalar}.{feature}" for feature in FEATURES]
        kinds += [f"({unit})/{{reading}}" if feature == "slope30" else unit for feature in FEATURES]
    names.append("age")
    kinds.append("{reading}")
    return TrendExtractor(
        scalars=tuple(scalars),
        names=tuple(names),
        units=tuple(kinds),
        tag=tag_of("trend/1", names, kinds),
    )
