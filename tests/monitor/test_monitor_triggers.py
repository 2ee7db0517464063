"""When to train again and when to wait, decided on a handful of facts."""

from datetime import UTC, datetime, timedelta

import pytest

from cloud_hub.monitor.triggers import Standing, cooldown, gathering, held, new_world, reasons
from models.declared.retraining import Drift, Retrain

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RULE = Retrain(every_days=30, failures=3, verdicts=2, cooldown_days=2)
DAY = timedelta(days=1)


def standing(**facts):
    usual = {
        "champion": "motor-health/3", "run": "motor-health-run-4", "state": "done", "created": NOW - 9 * DAY,
        "tried": 0, "failures": 0, "verdicts": 0, "rollout": None,
    }  # fmt: skip
    return Standing(**usual | facts)


def test_a_use_case_that_nothing_happened_to_is_left_alone():
    assert reasons(RULE, standing(), NOW) == ()
    assert held(RULE, standing(), NOW) == ""


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"created": NOW - 30 * DAY}, "schedule: 30 days since the last training"),
        ({"failures": 3}, "3 new failures"),
        ({"verdicts": 2}, "2 new verdicts"),
    ],
)
def test_each_trigger_says_what_it_saw(facts, why):
    assert reasons(RULE, standing(**facts), NOW) == (why,)
    assert reasons(Retrain(), standing(**facts), NOW) == ()


def test_drift_is_trained_for_once_it_has_lasted():
    rule = Retrain(drift=Drift(lasting_days=10))
    assert gathering(rule, NOW - 9 * DAY, NOW) == (
        "drift since 2026-10-23 00:00: rows of the new world are gathered until 2026-11-02 00:00"
    )
    assert gathering(rule, NOW - 10 * DAY, NOW) == ""


def test_drift_that_had_to_last_is_learnt_from_the_rows_that_gave_it_away_onwards():
    assert new_world(Drift(lasting_days=10, days=3), NOW) == NOW - 3 * DAY


def test_drift_that_need_not_last_has_no_world_of_its_own_to_learn_from():
    assert new_world(Drift(days=3), NOW) is None


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"champion": None}, "there is no champion yet"),
        ({"state": "queued"}, "motor-health-run-4 is queued"),
        ({"state": "running"}, "motor-health-run-4 is running"),
        ({"rollout": "motor-health-4.1"}, "rollout motor-health-4.1 is under way"),
        ({"created": NOW - DAY}, "motor-health-run-4 was the last training: cooling down until 2026-11-02"),
        ({"created": NOW - DAY, "state": "failed"}, "motor-health-run-4 was the last training"),
    ],
)
def test_nothing_is_started_while_something_else_goes_on(facts, why):
    assert held(RULE, standing(**facts), NOW).startswith(why)


def test_each_training_that_led_to_no_champion_doubles_the_time_until_the_next():
    waits = [cooldown(RULE, tried) / DAY for tried in range(9)]
    assert waits == [2, 2, 4, 8, 16, 32, 64, 64, 64]
