"""What condition-trend/1 remembers of a machine, and what its readings say under one table: compiled steps.

The memory holds readings as they came, in a space that does not grow: the first
ones and the last ones.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import compiled
from kernels.conditions import Map, place

LONGEST = 60  # last readings
MIDDLE = 30
FIRST = 30  # readings that say how this machine was when new
RECENT = 10  # last readings of which half must be in a known condition
FEATURES = ("mean5", "mean10", "mean30", "mean60", "std30", "slope30", "from_start")
WIDTH = len(FEATURES)

# The memory as rows of one value a scalar.
_HELD, _FIRST, _RING = 0, 1, 1 + FIRST
ROWS = _RING + LONGEST


class Lens(NamedTuple):
    """A table of conditions, as compiled code reads a machine's scalars through it."""

    columns: NDArray[np.int64]  # [w] the table's scalars among the machine's
    mean: NDArray[np.float64]  # [c, w]
    spread: NDArray[np.float64]  # [c, w]
    chosen: NDArray[np.int64]  # [s] the signals that tell the condition, among the machine's scalars
    where: Map


@compiled
def take(counts, memory, reading):
    """Take one reading [k] into ``counts`` [age, kept] and ``memory`` [ROWS, k]; is every scalar known?"""
    counts[0] += 1
    known = True
    for column in range(len(reading)):
        if not np.isnan(reading[column]):
            memory[_HELD, column] = reading[column]
        known = known and not np.isnan(memory[_HELD, column])
    if not known:
        return False
    number = int(counts[1])
    counts[1] += 1
    memory[_RING + number % LONGEST] = memory[_HELD]
    if number < FIRST:
        memory[_FIRST + number] = memory[_HELD]
    return True


@compiled
def _newest_first(ring, count):
    """The readings of the ring that there are."""
    rows = np.empty((min(count, LONGEST), ring.shape[1]))
    for back in range(len(rows)):
        rows[back] = ring[(count - 1 - back) % LONGEST]
    return rows


@compiled
def _conditions(rows, lens):
    """[n] the condition of each of ``rows`` [n, k]."""
    found, settings = np.empty(len(rows), np.int64), np.empty(len(lens.chosen))
    for index in range(len(rows)):
        for signal in range(len(settings)):
            settings[signal] = rows[index, lens.chosen[signal]]
        found[index] = place(settings, lens.where)
    return found


@compiled
def _scores(rows, conditions, scalar, lens):
    """How many spreads each row in a known condition lies from the mean; 0 where the scalar was constant."""
    scores, count = np.zeros(len(rows)), 0
    for index in range(len(rows)):
        condition = conditions[index]
        if condition < 0:
            continue
        spread = lens.spread[condition, scalar]
        if spread > 0:
            scores[count] = (rows[index, lens.columns[scalar]] - lens.mean[condition, scalar]) / spread
        count += 1
    return scores[:count]


@compiled
def _mean(scores):
    return scores.sum() / len(scores) if len(scores) else 0.0


@compiled
def _spread_and_slope(scores, positions):
    """Population standard deviation of the scores, and their least-squares slope over the positions."""
    mean, middle, squares, moment, lever = _mean(scores), _mean(positions), 0.0, 0.0, 0.0
    for index in range(len(scores)):
        deviation, step = scores[index] - mean, positions[index] - middle
        squares += deviation * deviation
        moment += step * deviation
        lever += step * step
    return np.sqrt(squares / len(scores)), (moment / lever if lever > 0 else 0.0)


@compiled
def describe(counts, memory, lens, out):
    """Fill ``out`` [w * WIDTH + 2] with what the memory says; False where the condition is unknown."""
    count = int(counts[1])
    recent = _newest_first(memory[_RING:], count)
    now = _conditions(recent, lens)
    if not count or 2 * np.sum(now[:RECENT] < 0) > min(count, RECENT):
        return False
    first = memory[_FIRST : _FIRST + min(count, FIRST)]
    then = _conditions(first, lens)
    positions = -np.flatnonzero(now >= 0).astype(np.float64)
    for scalar in range(len(lens.columns)):
        scores, opening = _scores(recent, now, scalar, lens), _scores(first, then, scalar, lens)
        row = out[scalar * WIDTH : (scalar + 1) * WIDTH]
        row[0], row[1] = _mean(scores[:5]), _mean(scores[:10])
        row[2], row[3] = _mean(scores[:MIDDLE]), _mean(scores)
        row[4], row[5] = _spread_and_slope(scores[:MIDDLE], positions[:MIDDLE])
        row[6] = row[1] - _mean(opening) if len(opening) else 0.0
    out[-2], out[-1] = counts[0], np.mean(now < 0)
    return True


@compiled
def walk(counts, memory, rows, lens, out):
    """``describe`` after each of the stored ``rows`` [n, k + 1], the age last; NaN where it says nothing.

    The age is the row's own; where it does not rise, another memory begins.
    """
    width = rows.shape[1] - 1
    for index in range(len(rows)):
        age = rows[index, width]
        if age <= counts[0]:
            counts[1] = 0
        counts[0] = age - 1
        take(counts, memory, rows[index, :width])
        if not describe(counts, memory, lens, out[index]):
            out[index, :] = np.nan
