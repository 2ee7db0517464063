"""The feature set deviation/1: how far each scalar has moved from how this very machine began.

No two machines of a class idle at the same level, and a device cannot be trained anew
for each: so its memory learns the opening readings, and what a model sees are spreads
of those, which mean the same on all of them. Afterwards the reference follows, so
slowly that hours of warming up fade while a fault of minutes stands out.

The opening is learnt once and for good, so a few wild readings in it must not decide
what a machine is: up to ten at either end count no further off than the others let them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.compiled import compiled
from kernels.errors import KernelInputError
from kernels.extractor import Row, State, read_scalars, tag_of

OPENING = 200  # readings that say how this machine is; no row is made of them
EXTREMES = 10  # of them at either end, which count no further off than the others let them
FENCE = 5.0  # spreads of the readings between the extremes: four of all, where readings are normal
CAP = 4.0  # spreads: a reading further off counts as that far, so one signal cannot speak for all
FAST, SLOW = 5, 20  # readings, of the exponential means: one to notice, one to be sure
FOLLOW = 1600  # readings in which the reference goes most of the way to where a signal stays
REACH = 3.0  # spreads: the reference is drawn less the further off, and not at all beyond
DIGIT = 2.5e-4  # of the level, a step of a converter of 12 bits: no spread is smaller

FEATURES = ("fast", "slow")
WIDTH = len(FEATURES)

# The state as rows of one value a scalar.
_HELD, _STEP, _MEAN, _SQUARES, _REFERENCE, _FAST, _SLOW, _LOW = range(8)
_HIGH = _LOW + EXTREMES
_ROWS = _HIGH + EXTREMES


@compiled
def _hold(memory, column, value):
    """Keep the last known value, and the smallest step that it ever made."""
    if np.isnan(value):
        return
    step = abs(value - memory[_HELD, column])  # NaN at first
    if 0 < step < memory[_STEP, column]:
        memory[_STEP, column] = step
    memory[_HELD, column] = value


@compiled
def _add(memory, column, value, count):
    """Welford's mean and sum of squares, ``value`` being the ``count``-th."""
    off = value - memory[_MEAN, column]
    memory[_MEAN, column] += off / count
    memory[_SQUARES, column] += off * (value - memory[_MEAN, column])


@compiled
def _learn(memory, column, count):
    """Set the extremes of the opening aside, and take what lies between into mean and squares."""
    low, high = memory[_LOW:_HIGH, column], memory[_HIGH:, column]
    value = memory[_HELD, column]
    place = np.argmax(low)
    if value < low[place]:
        low[place], value = value, low[place]
    place = np.argmin(high)
    if high[place] < value < np.inf:
        high[place], value = value, high[place]
    if np.isfinite(value):
        _add(memory, column, value, count - 2 * EXTREMES)


@compiled
def _settle(memory, column):
    """Take the extremes in too, none beyond the fence: a few wild readings do not say how a machine is."""
    count = OPENING - 2 * EXTREMES
    middle = memory[_MEAN, column]
    reach = max(FENCE * np.sqrt(memory[_SQUARES, column] / count), DIGIT * abs(middle))
    for row in range(_LOW, _ROWS):
        count += 1
        _add(memory, column, min(max(memory[row, column], middle - reach), middle + reach), count)
    for row in (_REFERENCE, _FAST, _SLOW):
        memory[row, column] = memory[_MEAN, column]


@compiled
def _spread(memory, column):
    """Of the opening; never below what a last digit may do, of which a constant signal shows nothing."""
    spread = max(np.sqrt(memory[_SQUARES, column] / OPENING), DIGIT * abs(memory[_MEAN, column]), 1e-12)
    return max(spread, memory[_STEP, column]) if np.isfinite(memory[_STEP, column]) else spread


@compiled
def _follow(memory, column, spread):
    """Draw the reference to where the signal is, by Tukey's biweight: what is far off draws nothing."""
    off = (memory[_SLOW, column] - memory[_REFERENCE, column]) / spread
    trust = max(0.0, 1.0 - (off / REACH) ** 2)
    memory[_REFERENCE, column] += spread * off * trust * trust / FOLLOW


@compiled
def _describe(memory, column, out):
    """Fill the two features of ``column`` with how far its means are off, the held reading taken in."""
    spread = _spread(memory, column)
    reference = memory[_REFERENCE, column]
    value = min(max(memory[_HELD, column], reference - CAP * spread), reference + CAP * spread)
    memory[_FAST, column] += (value - memory[_FAST, column]) / FAST
    memory[_SLOW, column] += (value - memory[_SLOW, column]) / SLOW
    _follow(memory, column, spread)
    reference = memory[_REFERENCE, column]
    out[column * WIDTH] = (memory[_FAST, column] - reference) / spread
    out[column * WIDTH + 1] = (memory[_SLOW, column] - reference) / spread


@compiled
def step(counts, memory, reading, out):
    """Take one reading [k] into ``counts`` [1] and ``memory`` [27, k]; has ``out`` [2 k] been filled?"""
    known = True
    for column in range(len(reading)):
        _hold(memory, column, reading[column])
        known = known and not np.isnan(memory[_HELD, column])
    if not known:
        return False
    counts[0] += 1
    count = counts[0]
    for column in range(len(reading)):
        if count <= OPENING:
            _learn(memory, column, count)
        if count == OPENING:
            _settle(memory, column)
        if count > OPENING:
            _describe(memory, column, out)
    return count > OPENING


@compiled
def _life(counts, memory, readings, out):
    for index in range(len(readings)):
        if not step(counts, memory, readings[index], out[index]):
            out[index, :] = np.nan


@dataclass(frozen=True, kw_only=True)
class DeviationExtractor:
    """Per scalar: its exponential means over 5 and 20 readings, less the machine's own reference, in
    spreads of its first 200 readings, which make no row: their standard deviation, yet no less than
    1/4000 of their mean, nor than the smallest step between two readings so far. Readings count, not
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
        state = State(tag=self.tag, memory=np.zeros(self._size()))
        _, memory = self._views(state)
        memory[_HELD] = np.nan  # nothing is held yet
        memory[_STEP], memory[_LOW:_HIGH], memory[_HIGH:] = np.inf, np.inf, -np.inf
        return state

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
