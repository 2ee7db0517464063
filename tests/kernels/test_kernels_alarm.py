"""Alarms open late enough, close late enough, and at the same rows on the device and at the gate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.alarm import CLOSED, AlarmPolicy, Direction, run, step
from kernels.errors import KernelInputError

LIFE = AlarmPolicy(output="remaining_life", threshold=24.0, clear=48.0, persistence=3)


@st.composite
def policies(draw: st.DrawFn) -> AlarmPolicy:
    low, high = sorted((draw(st.integers(-3, 3)), draw(st.integers(-3, 3))))
    below = draw(st.booleans())
    return AlarmPolicy(
        output="remaining_life",
        threshold=low if below else high,
        clear=high if below else low,
        persistence=draw(st.integers(1, 4)),
        direction=Direction.BELOW if below else Direction.ABOVE,
    )


def transitions(policy: AlarmPolicy, values: list[float]) -> list[str | None]:
    state, found = CLOSED, []
    for value in values:
        state, transition = step(policy, state, value)
        found.append(transition)
    return found


@given(policy=policies(), values=st.lists(st.sampled_from([-4, -2, -1, 0, 1, 2, 4, np.nan]), max_size=60))
def test_the_gate_alarms_at_the_rows_at_which_a_device_does(policy: AlarmPolicy, values: list[float]) -> None:
    state, active, opened, closed = CLOSED, [], [], []
    for index, value in enumerate(values):
        state, transition = step(policy, state, value)
        active.append(state.opened)
        opened += [index] if transition == "opened" else []
        closed += [index] if transition == "closed" else []
    at_once = run(policy, values)
    assert at_once.active.tolist() == active
    assert at_once.opened.tolist() == opened
    assert at_once.closed.tolist() == closed


def test_an_alarm_opens_only_after_enough_values_in_a_row() -> None:
    assert transitions(LIFE, [20, 20, 30, 20, 20, 20]) == [None, None, None, None, None, "opened"]


def test_an_alarm_between_threshold_and_clear_stays_as_it_is() -> None:
    assert transitions(LIFE, [20, 20, 20, 40, 40, 40, 40])[2:] == ["opened", None, None, None, None]
    assert transitions(LIFE, [40, 40, 40, 40]) == [None] * 4


def test_an_alarm_closes_only_after_enough_sound_values_in_a_row() -> None:
    assert transitions(LIFE, [20, 20, 20, 50, 50, 30, 50, 50, 50])[3:] == [None] * 5 + ["closed"]


def test_a_missing_prediction_neither_opens_nor_breaks_a_row() -> None:
    assert transitions(LIFE, [20, np.nan, 20, np.nan, 20]) == [None, None, None, None, "opened"]


def test_a_score_alarms_above_its_threshold() -> None:
    policy = AlarmPolicy(output="anomaly", threshold=0.9, clear=0.5, direction=Direction("above"))
    assert transitions(policy, [0.2, 0.95, 0.6, 0.4]) == [None, "opened", None, "closed"]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"clear": 10.0}, "at or above the threshold 24"),
        ({"direction": "above", "clear": 50.0}, "at or below the threshold 24"),
        ({"direction": "sideways"}, "'below' or 'above'"),
        ({"persistence": 0}, "at least 1"),
        ({"threshold": float("nan")}, "finite"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(settings: dict, complaint: str) -> None:
    fields = {"output": "remaining_life", "threshold": 24.0, "clear": 48.0} | settings
    with pytest.raises(KernelInputError, match=complaint):
        AlarmPolicy(**fields)
