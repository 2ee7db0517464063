"""The feature set deviation/1: how far each scalar has moved from how this very machine began.

No two machines of a class idle at the same level, and a device cannot be trained anew
for each: so its memory learns the opening readings, and what a model sees are spreads
of those, which mean the same on all of them. Afterwards the reference follows, so
slowly that hours of warming up fade while a fault of minutes stands out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.compiled import compiled
from kernels.errors import KernelInputError
from kernels.extractor import Row, State, read_scalars, tag_of

OPENING = 200  # readings that say how this machine is; no row is made of them
CAP = 4.0  # spreads: a reading further off counts as that far, so one signal cannot speak for all
FAST, SLOW = 5, 20  # readings, of the exponential means: one to notice, one to be sure
FOLLOW = 1600  # readings in which the reference goes most of the way to where a signal stays
REACH = 3.0  # spreads: the reference is drawn less the further off, and not at all beyond
ROUNDING = 1e-6  # a spread below this share of the mean is rounding

FEATURES = ("fast", "slow")
WIDTH = len(FEATURES)

# The state as rows of one value a scalar.
_HELD, _MEAN, _SQUARES, _REFERENCE, _FAST, _SLOW = range(6)
_ROWS = 6


@compiled
def _learn(memory, column, count):
    """Welford's mean and sum of squares of the opening, and the reference that begins as the mean."""
    off = memory[_HELD, column] - memory[_MEAN, column]
    memory[_MEAN, column] += off / count
    memory[_SQUARES, column] += off * (memory[_HELD, column] - memory[_MEAN, column])
    memory[_REFERENCE, column] = memory[_MEAN, column]


@compiled
def _spread(memory, column, count):
    """Of the opening; never so small that a constant signal would divide by nothing."""
    squares = memory[_SQUARES, column] / min(count, OPENING)
    return max(np.sqrt(squares), ROUNDING * abs(memory[_MEAN, column]), 1e-12)


@compiled
def _follow(memory, column, spread):
    """Draw the reference to where the signal is, by Tukey's biweight: what is far off draws nothing."""
    off = (memory[_SLOW, column] - memory[_REFERENCE, column]) / spread
    trust = max(0.0, 1.0 - (off / REACH) ** 2)
    memory[_REFERENCE, column] += spread * off * trust * trust / FOLLOW


@compiled
def step(counts, memory, reading, out):
    """Take one reading [k] into ``counts`` [1] and ``memory`` [6, k]; has ``out`` [2 k] been filled?"""
    known = True
    for column in range(len(reading)):
        if not np.isnan(reading[column]):
            memory[_HELD, column] = reading[column]
        known = known and not np.isnan(memory[_HELD, column])
    if not known:
        return False
    counts[0] += 1
    count = counts[0]
    for column in range(len(reading)):
        if count <= OPENING:
            _learn(memory, column, count)
        spread = _spread(memory, column, count)
        reference = memory[_REFERENCE, column]
        value = memory[_HELD, column]
        if count > OPENING:
            value = min(max(value, reference - CAP * spread), reference + CAP * spread)
        memory[_FAST, column] += (value - memory[_FAST, column]) / min(count, FAST)
        memory[_SLOW, column] += (value - memory[_SLOW, column]) / min(count, SLOW)
        if count > OPENING:
            _follow(memory, column, spread)
        reference = memory[_REFERENCE, column]
        out[column * WIDTH] = (memory[_FAST, column] - reference) / spread
        out[column * WIDTH + 1] = (memory[_SLOW, column] - reference) / spread
    return count > OPENING


@compiled
def _life(counts, memory, readings, out):
    for index in range(len(readings)):
        if not step(counts, memory, readings[index], out[index]):
            out[index, :] = np.nan


@dataclass(frozen=True, kw_only=True)
class DeviationExtractor:
    """Per scalar: its exponential means over 5 and 20 readings, less the machine's own reference, in
    spreads (standard deviations) of its first 200 readings, which make no row. Readings count, not
    time; a reading more than 4 spreads off counts as 4. Windows are ignored.
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
        memory[1 : 1 + len(self.scalars)] = np.nan  # nothing is held yet
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
        return 1 + _ROWS * len(self.scalars)

    def _views(self, state: State) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return state.memory[:1], state.memory[1:].reshape(_ROWS, len(self.scalars))


def make_deviation(*, scalars: Sequence[str]) -> DeviationExtractor:
    if not scalars:
        raise KernelInputError("deviation/1", "no scalars", "at least one scalar signal")
    names = [f"{scalar}.{feature}" for scalar in scalars for feature in FEATURES]
    units = ["1"] * len(names)
    return DeviationExtractor(
        scalars=tuple(scalars),
        names=tuple(names),
        units=tuple(units),
        tag=tag_of("deviation/1", names, units),
    )
