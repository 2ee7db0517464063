"""Who needs someone first: one order for every page, and nobody silent is called healthy."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cloud_hub.console.plant.outlooks import Meaning
from cloud_hub.console.plant.risk import ranked
from cloud_hub.store.fleet import Machine, Outlook

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
MEANINGS = {
    "pumps/1": Meaning(unit="h", threshold=72.0),
    "engines/1": Meaning(unit="{cycle}", threshold=10.0),
}


def machine(name, life=None, *, lower=None, anomaly=0.1, release="pumps/1", **changes):
    told = Outlook(
        use_case=release.partition("/")[0],
        release=release,
        time=NOW - timedelta(minutes=5),
        remaining_life=life,
        lower=lower,
        upper=None,
        anomaly=anomaly,
        faults={},
    )
    made = Machine(
        name=name,
        device="cell-1",
        site="lyon",
        machine_class="pump",
        feature_set="vibration/1",
        online=True,
        last_batch=NOW,
        outlook=told if life is not None else None,
        open_alarms=0,
    )
    return replace(made, **changes)


def order(*machines):
    return [(each.machine.name, each.state) for each in ranked(machines, MEANINGS, NOW)]


def test_alarms_come_first_then_the_horizon_then_silence_then_health_then_the_unknown():
    assert order(
        machine("unknown"),
        machine("well", 400.0),
        machine("gone", 400.0, online=False),
        machine("soon", 90.0, lower=60.0),
        machine("alarmed", 500.0, open_alarms=1),
    ) == [
        ("alarmed", "alarm"),
        ("soon", "watch"),
        ("gone", "silent"),
        ("well", "healthy"),
        ("unknown", "no prediction"),
    ]


def test_lives_compare_as_multiples_of_their_horizon_and_not_hours_with_cycles():
    assert order(machine("pump", 40.0), machine("engine", 8.0, release="engines/1")) == [
        ("pump", "watch"),  # 0.56 of 72 h
        ("engine", "watch"),  # 0.8 of 10 cycles
    ]


def test_the_lower_end_counts_and_not_the_point():
    wide, narrow = machine("wide", 300.0, lower=80.0), machine("narrow", 200.0, lower=150.0)
    assert [name for name, _ in order(narrow, wide)] == ["wide", "narrow"]


def test_of_equal_lives_the_greater_anomaly_comes_first_and_then_the_name_decides():
    calm, odd = machine("a", 200.0, anomaly=0.1), machine("b", 200.0, anomaly=3.0)
    assert [name for name, _ in order(calm, odd)] == ["b", "a"]
    assert [name for name, _ in order(machine("d", 200.0), machine("c", 200.0))] == ["c", "d"]


def test_a_machine_that_is_in_alarm_and_silent_stays_in_alarm_and_says_both():
    (risk,) = ranked([machine("pump", 20.0, open_alarms=2, online=False)], MEANINGS, NOW)
    assert risk.state == "alarm"
    assert risk.silence == "its device is offline"


def test_an_online_device_that_predicts_nothing_for_a_day_makes_its_machine_silent():
    stale = machine("pump", 400.0)
    assert stale.outlook is not None
    stale = replace(stale, outlook=replace(stale.outlook, time=NOW - timedelta(hours=25)))
    (risk,) = ranked([stale], MEANINGS, NOW)
    assert risk.state == "silent"
    assert "no prediction for a day" in risk.silence


def test_without_a_horizon_the_share_of_the_longest_life_decides_behind_those_within_one():
    found = order(
        machine("free-old", 50.0, release="free/1"),
        machine("free-new", 500.0, release="free/1"),
        machine("pump", 70.0),
    )
    assert [name for name, _ in found] == ["pump", "free-old", "free-new"]
