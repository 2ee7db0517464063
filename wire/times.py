"""Times of many series end to end, written as start and step where that is all there is to them.

``counts`` int64 [s] is how many of the ``times`` int64 [n] are each series'. Times may come in any order
and be any int64; a reader refuses what would lead beyond that.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wire.batch import Times
from wire.errors import NegativeStepError, TimeOverflowError, UnknownFormError

EVEN, DIFFERENCES, WHOLE = range(3)
LATEST = (1 << 63) - 1
NO_DIFFERENCES, NO_TIMES = np.empty(0, np.int32), np.empty(0, np.int64)

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeColumns:
    """``starts``, ``steps`` int64 and ``forms`` uint8 [s]; the others hold the series of their form."""

    starts: Times
    steps: Times
    forms: npt.NDArray[np.uint8]
    differences: npt.NDArray[np.int32]
    whole: Times


def written(times: Times, counts: Times) -> TimeColumns:
    """The columns that ``read`` makes the same times of."""
    starts = np.zeros(len(counts), np.int64)
    steps = np.zeros(len(counts), np.int64)
    forms = np.zeros(len(counts), np.uint8)
    if len(times):
        firsts = counts.cumsum() - counts
        last = len(times) - 1
        np.copyto(starts, times[np.minimum(firsts, last)], where=counts > 0)
        np.subtract(times[np.minimum(firsts + 1, last)], starts, out=steps, where=counts > 1)
        expected = _even(starts, steps, counts)
        possible = (steps >= 0) & ~_beyond(starts, steps, counts)
        if not (possible.all() and np.array_equal(expected, times)):
            uneven = ~possible | any_of_each(expected != times, counts)
            return _uneven(times, counts, starts, steps, uneven)
    return TimeColumns(starts=starts, steps=steps, forms=forms, differences=NO_DIFFERENCES, whole=NO_TIMES)


def step_of(times: Times) -> int | None:
    """The step from each of ``times`` to the next, where it is one and not negative."""
    count = len(times)
    if count < 2:
        return 0
    first, second, last = times[0].item(), times[1].item(), times[-1].item()
    step: int = second - first
    # Python's numbers do not wrap: steps that lead to the last time lead to none beyond it.
    if step < 0 or first + step * (count - 1) != last:
        return None
    if not step:
        return 0 if bool((times == first).all()) else None
    return step if np.arange(first, last, step).tobytes() == times[:-1].tobytes() else None


def read(columns: TimeColumns, counts: Times) -> Times:
    """The times, or a ``MessageError`` naming what they cannot be; lengths have been looked at."""
    starts, steps, forms = columns.starts, columns.steps, columns.forms
    if (steps < 0).any():
        raise NegativeStepError(f"expected steps of 0 or more, got {steps.min()}")
    if not forms.any():
        _refuse_beyond(starts, steps, counts)
        return _even(starts, steps, counts)
    if forms.max() > WHOLE:
        raise UnknownFormError(f"expected a form of times from {EVEN} to {WHOLE}, got {forms.max()}")
    steps = np.where(forms == EVEN, steps, 0)
    _refuse_beyond(starts, steps, counts)
    times = _even(starts, steps, counts)
    which = forms == DIFFERENCES
    times[which.repeat(counts)] = _summed(columns.differences, starts[which], counts[which])
    times[(forms == WHOLE).repeat(counts)] = columns.whole
    return times


def read_together(start: int, step: int, count: int, many: int) -> Times:
    """The times of ``many`` series that start together and go on by one step."""
    if step < 0:
        raise NegativeStepError(f"expected a step of 0 or more, got {step}")
    last = start + step * max(count - 1, 0)
    if last > LATEST:
        raise TimeOverflowError(f"{count} steps of {step} us from {start} us")
    times = np.empty((many, count), np.int64)
    if step and count:
        times[:, :-1] = np.arange(start, last, step)
        times[:, -1] = last
    else:
        times.fill(start)
    return times.reshape(-1)


def any_of_each(flags: Flags, counts: Times) -> Flags:
    """Which series [s] have a flag [n] set."""
    found = np.concatenate([[0], flags.cumsum()])
    ends = counts.cumsum()
    anywhere: Flags = found[ends] > found[ends - counts]
    return anywhere


def _even(starts: Times, steps: Times, counts: Times) -> Times:
    length = int(counts.max(initial=0))
    if length * len(counts) == counts.sum():  # equally long, as what is read together is
        table: Times = np.arange(length) * steps[:, None]
        table += starts[:, None]
        return table.reshape(-1)
    ends = counts.cumsum()
    times = np.arange(ends[-1]) - (ends - counts).repeat(counts)
    times *= steps.repeat(counts)
    times += starts.repeat(counts)
    return times


def _beyond(starts: Times, steps: Times, counts: Times) -> Flags:
    """Which series end beyond an int64; ``steps`` below 0 are taken for large ones."""
    room = (LATEST - starts).view(np.uint64)  # exact: it wraps to where it belongs
    most = room // np.maximum(counts - 1, 1).view(np.uint64)
    return (steps.view(np.uint64) > most) & (counts > 1)


def _refuse_beyond(starts: Times, steps: Times, counts: Times) -> None:
    beyond = _beyond(starts, steps, counts)
    if beyond.any():
        first = int(beyond.argmax())
        raise TimeOverflowError(f"{counts[first]} steps of {steps[first]} us from {starts[first]} us")


def _before(times: Times, starts: Times, counts: Times) -> Times:
    """The time before each in its series; the start before the first."""
    before = np.empty_like(times)
    before[1:] = times[:-1]
    filled = counts > 0
    before[(counts.cumsum() - counts)[filled]] = starts[filled]
    return before


def _uneven(times: Times, counts: Times, starts: Times, steps: Times, uneven: Flags) -> TimeColumns:
    """Differences where 32 bits hold them, else the times themselves."""
    before = _before(times, starts, counts)
    differences = times - before
    short = differences.astype(np.int32)
    wide = (differences != short) | ((times < before) != (differences < 0))
    whole = uneven & any_of_each(wide, counts)
    by_difference = uneven & ~whole
    return TimeColumns(
        starts=np.where(whole, 0, starts),
        steps=np.where(uneven, 0, steps),
        forms=(DIFFERENCES * by_difference + WHOLE * whole).astype(np.uint8),
        differences=short[by_difference.repeat(counts)],
        whole=times[whole.repeat(counts)],
    )


def _summed(differences: npt.NDArray[np.int32], starts: Times, counts: Times) -> Times:
    sums = np.concatenate([[0], differences.cumsum(dtype=np.int64)])
    times: Times = sums[1:] + (starts - sums[counts.cumsum() - counts]).repeat(counts)
    if ((times < _before(times, starts, counts)) != (differences < 0)).any():
        raise TimeOverflowError("differences lead beyond 64 bits")
    return times
