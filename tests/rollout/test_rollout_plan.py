"""A plan that cannot work is refused with the reason, before anything is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollout_world import plan

from cloud_hub.rollout.plan import Late, Plan, PlanError, Silent, Wave, parse_windows


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("some", "expected a wave such as 1, 50% or 100%, got 'some'"),
        ("0", "must reach somebody"),
        ("0%", "must reach somebody"),
        ("101%", "at most 100%"),
        ("1.5", "a whole number"),
        ("-1", "expected a wave"),
    ],
)
def test_a_wave_that_means_nothing_is_refused(text, why):
    with pytest.raises(PlanError, match=why):
        Wave.parse(text)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"waves": ()}, "opens no wave"),
        ({"waves": ("50%", "10%")}, "expected more than 50%, got 10%"),
        ({"waves": ("2", "2", "100%")}, "expected more than 2, got 2"),
        ({"tolerated": 1.0}, "tolerated share from 0 to below 1"),
        ({"tolerated": float("nan")}, "tolerated share"),
        ({"succeed": 0.0}, "has to succeed above 0"),
        ({"succeed": 0.96, "tolerated": 0.05}, "96% of a wave has to succeed and 5% of it may fail"),
        ({"at_once": 0}, "at least 1 device at once, got 0"),
        ({"approve_before": (4,)}, "approval before wave 4: expected a wave from 1 to 3"),
        ({"approve_before": (0,)}, "approval before wave 0"),
        ({"four_eyes": True}, "four eyes, but approval before no wave"),
        ({"soak_hours": -1}, "soak"),
        ({"timeout_hours": 0}, "timeout"),
        ({"timeout_hours": float("inf")}, "timeout"),
        ({"release": "motor-health"}, "expected a release of 'motor-health'"),
        ({"release": "turbofan-rul/1"}, "expected a release of 'motor-health', got 'turbofan-rul/1'"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(changes, why):
    with pytest.raises(PlanError, match=why):
        plan(**changes)


def test_a_plan_survives_its_row():
    made = plan(
        waves=("1", "12.5%", "100%"),
        tolerated=0.25,
        soak_hours=2,
        silent=Silent.SKIP,
        selector={"sites": ("plant-1",), "tags": ("canary",), "targets": ("jetson-orin",)},
        succeed=0.75,
        at_once=10,
        windows=parse_windows(["sat,sun 02:00-06:00", "daily 22:00-04:00"]),
        approve_before=(2, 3),
        four_eyes=True,
        late=Late.LEAVE,
    )
    assert Plan.parse(made.fields()) == made


def test_a_plan_from_before_the_newer_words_is_read_as_it_was_meant():
    old = {"release": "motor-health/1", "use_case": "motor-health", "waves": ["1", "100%"], "tolerated": 0.1}
    old |= {"selector": {"sites": [], "tags": [], "profiles": [], "devices": []}, "silent": "skip"}
    read = Plan.parse(old | {"soak_hours": 1.0, "timeout_hours": 2.0})
    assert (read.succeed, read.at_once, read.windows, read.approve_before) == (None, None, (), ())


@pytest.mark.parametrize("fields", [{}, {"waves": ["1"]}, {"selector": 3, "waves": [], "silent": "fail"}])
def test_garbage_is_not_a_plan(fields):
    with pytest.raises(PlanError, match="not a rollout plan"):
        Plan.parse(fields)


def test_waves_reach_as_far_as_they_say():
    waves = plan(waves=("1", "50%", "100%")).assign(range(6))
    assert [list(waves.values()).count(wave) for wave in (1, 2, 3)] == [1, 2, 3]


def test_waves_that_add_nobody_are_left_out():
    assert plan(waves=("1", "10%", "100%")).assign([7, 8]) == {7: 1, 8: 2}


def test_approval_before_a_wave_that_is_left_out_is_wanted_before_the_next():
    made = plan(waves=("1", "10%", "100%"), approve_before=(2,))
    assert made.gates(2) == (2,)
    assert made.gates(100) == (2,)
    assert plan(waves=("1", "10%", "100%"), approve_before=(3,)).gates(100) == (3,)
    assert plan(waves=("1", "10%", "100%"), approve_before=(1, 2, 3)).gates(100) == (1, 2, 3)


def test_a_window_that_cannot_be_read_is_refused():
    with pytest.raises(PlanError, match="expected a window like 'sat,sun 02:00-06:00', got 'whenever'"):
        parse_windows(["whenever"])


def test_a_plan_that_forgets_devices_is_refused():
    with pytest.raises(PlanError, match="the last wave reaches 2 of 6 devices"):
        plan(waves=("1", "2")).assign(range(6))


@given(
    devices=st.integers(1, 300),
    shares=st.lists(st.integers(1, 99), unique=True, max_size=4).map(sorted),
)
def test_every_device_is_in_one_wave_and_waves_are_numbered_without_holes(devices, shares):
    waves = plan(waves=(*(f"{share}%" for share in shares), "100%")).assign(range(devices))
    assert set(waves) == set(range(devices))
    assert set(waves.values()) == set(range(1, max(waves.values()) + 1))
    assert list(waves.values()) == sorted(waves.values())
