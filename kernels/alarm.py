"""When predictions open an alarm and when they close it: persistence and hysteresis.

The device steps through predictions as they come, the gate runs over a whole
history at once; both must alarm at the same rows, or the gate judges something
that no device will do.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.errors import KernelInputError

Transition = Literal["opened", "closed"]


class Direction(StrEnum):
    BELOW = "below"  # alarms when the value is at or below the threshold, as remaining life
    ABOVE = "above"  # alarms when the value is at or above the threshold, as an anomaly score


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPolicy:
    """``persistence`` values in a row at or past ``threshold`` open it, as many past ``clear`` close it.

    ``clear`` lies on the sound side of ``threshold`` or equals it, so that no value counts for both.
    """

    output: str  # the output of the model that is watched
    threshold: float
    clear: float
    persistence: int = 1
    direction: Direction = Direction.BELOW

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", _direction(self.direction))
        if self.persistence < 1:
            raise KernelInputError("persistence", self.persistence, "at least 1")
        if not np.isfinite((self.threshold, self.clear)).all():
            raise KernelInputError("threshold and clear", (self.threshold, self.clear), "finite numbers")
        margin = self.clear - self.threshold
        if (margin if self.direction is Direction.BELOW else -margin) < 0:
            side = "at or above" if self.direction is Direction.BELOW else "at or below"
            raise KernelInputError("clear", self.clear, f"a value {side} the threshold {self.threshold}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmState:
    opened: bool = False
    count: int = 0  # values in a row that speak for the other state


CLOSED = AlarmState()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlarmRun:
    """One machine's history judged at once; all arrays are aligned with the values given."""

    active: NDArray[np.bool_]  # is the alarm open after this value?
    opened: NDArray[np.int64]  # indices of the values that opened it
    closed: NDArray[np.int64]  # indices of the values that closed it


def step(policy: AlarmPolicy, state: AlarmState, value: float) -> tuple[AlarmState, Transition | None]:
    """Judge the next value of one machine. NaN says nothing: it neither counts nor breaks a row."""
    if np.isnan(value):
        return state, None
    other = _sound(policy, value) if state.opened else _worrying(policy, value)
    if not other:
        return AlarmState(opened=state.opened, count=0), None
    if state.count + 1 < policy.persistence:
        return AlarmState(opened=state.opened, count=state.count + 1), None
    return AlarmState(opened=not state.opened), "closed" if state.opened else "opened"


def run(policy: AlarmPolicy, values: ArrayLike) -> AlarmRun:
    """``step`` over a whole history of one machine, [n] values in time order, starting closed."""
    values = np.asarray(values, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    opens = _row_length(_worrying(policy, values[known])) >= policy.persistence
    closes = _row_length(_sound(policy, values[known])) >= policy.persistence
    # A value speaks for one side at most, so the last full row decides.
    decisive = np.where(opens | closes, np.arange(len(known)), -1)
    last = np.maximum.accumulate(decisive)
    active = (last >= 0) & opens[last]
    change = np.diff(active.astype(np.int8), prepend=0)
    return AlarmRun(
        active=_held(active, known, len(values)),
        opened=known[change == 1],
        closed=known[change == -1],
    )


def _worrying(policy: AlarmPolicy, value: Any) -> Any:
    if policy.direction is Direction.BELOW:
        return value <= policy.threshold
    return value >= policy.threshold


def _sound(policy: AlarmPolicy, value: Any) -> Any:
    return value > policy.clear if policy.direction is Direction.BELOW else value < policy.clear


def _row_length(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many flags in a row, up to and including each, are set."""
    position = np.arange(1, len(flags) + 1)
    return position - np.maximum.accumulate(np.where(flags, 0, position))


def _held(active: NDArray[np.bool_], known: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Spread ``active`` at ``known`` places over ``length`` places, holding it in between."""
    counts = np.zeros(length, np.int64)
    counts[known] = 1
    return np.concatenate([[False], active])[np.cumsum(counts)]


def _direction(name: str) -> Direction:
    try:
        return Direction(name)
    except ValueError:
        raise KernelInputError("direction", repr(name), "'below' or 'above'") from None
