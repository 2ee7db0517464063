"""Broken sensors, missing rows and wrong clocks are told of; what is too bad to learn from stops the line."""

from typing import Any

import numpy as np
import pytest

from cloud_hub.dataset.quality import Quality, assess
from tests.dataset.dataset_found import HOUR_US, failure, found, label, pumps, rows
from wire.clock import to_datetime

LONG = range(400)


def noise(seed: int, count: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).normal([10.0, 2.0], [1.0, 0.1], (count, 2))


def told(quality: Quality, check: str, *, stops: bool = False) -> str:
    """The text of the one finding of this check."""
    (finding,) = [finding for finding in quality.findings if finding.check == check]
    assert finding.stops is stops
    assert finding.remedy or not stops
    return finding.text


def test_sound_data_has_nothing_to_be_told_of() -> None:
    quality = assess(found([LONG, LONG], [noise(1), noise(2)]), pumps())
    assert quality.findings == ()
    assert quality.machines["pump-1"]["rows"] == 400
    assert quality.signals["flow"] == {
        "constant": False,
        "stuck": [],
        "stuck_share": 0.0,
        "spikes": 0.0,
        "beyond": 0.0,
    }


def test_a_sensor_that_stands_still_on_one_machine_is_named() -> None:
    stuck = noise(1)
    stuck[100:200, 1] = stuck[100, 1]
    quality = assess(found([LONG] * 3, [stuck, noise(2), noise(3)]), pumps())
    assert told(quality, "stuck") == "pressure stands still on pump-0"
    stuck[100:, 1] = stuck[100, 1]
    assert told(assess(found([LONG], [stuck]), pumps()), "stuck", stops=True)


def test_a_signal_declared_steady_may_stand_still() -> None:
    steady = pumps(
        signals=[{"name": "flow", "unit": "L/min"}, {"name": "pressure", "unit": "bar", "steady": True}]
    )
    stuck = noise(1)
    stuck[100:200, 1] = stuck[100, 1]
    assert assess(found([LONG] * 3, [stuck, noise(2), noise(3)]), steady).findings == ()
    stuck[:, 1] = 2.0
    assert assess(found([LONG], [stuck]), steady).findings == ()


def test_signals_that_never_change_are_told_of_and_most_of_them_stop_the_line() -> None:
    one, both = noise(1), noise(1)
    one[:, 1], both[:] = 2.0, 2.0
    assert "1 of 2 signals never change: pressure" in told(assess(found([LONG], [one]), pumps()), "constant")
    other = one + np.array([0.0, 1.0])  # a level for each machine is something to learn from
    assert assess(found([LONG, LONG], [one, other]), pumps()).findings == ()
    assert "2 of 2 signals" in told(assess(found([LONG], [both]), pumps()), "constant", stops=True)


def test_spikes_are_counted_and_too_many_stop_the_line() -> None:
    few, many = noise(1), noise(1)
    few[[50, 90]] = 1000.0
    many[3::30] = 1000.0
    texts = [finding.text for finding in assess(found([LONG], [few]), pumps()).findings]
    assert texts == [
        "0.50% of the readings of flow are spikes",
        "0.50% of the readings of pressure are spikes",
    ]
    assert all(finding.stops for finding in assess(found([LONG], [many]), pumps()).findings)


def test_steps_other_ways_to_run_and_the_last_digit_are_no_spikes() -> None:
    step, other_ways, coarse = noise(1), noise(2), noise(3).round(1)
    step[200:] += 1000.0
    other_ways[np.random.default_rng(1).random(400) < 0.1] += 1000.0
    coarse[:, 0] = np.random.default_rng(2).random(400) < 0.1
    coarse[:, 1] = np.random.default_rng(3).random(400) < 0.03
    quality = assess(found([LONG] * 3, [step, other_ways, coarse]), pumps())
    assert [signal["spikes"] for signal in quality.signals.values()] == [0, 0]


def test_readings_that_a_sensor_cannot_show_are_counted() -> None:
    ranged = pumps(
        signals=[
            {"name": "flow", "unit": "L/min"},
            {"name": "pressure", "unit": "bar", "low": 1.8, "high": 3.0},
        ]
    )
    share = float((noise(1)[:, 1].astype(np.float32) < 1.8).mean())
    assert 0 < share < 0.05
    quality = assess(found([LONG], [noise(1)], use_case=ranged), ranged)
    assert quality.signals["pressure"]["beyond"] == pytest.approx(share, abs=1e-5)
    assert "of pressure are beyond what its sensor can show" in told(quality, "range")


def gap(since: float, until: float, reason: str, machine: int | None = None) -> dict[str, Any]:
    times = {"from_time": to_datetime(round(since * HOUR_US)), "to_time": to_datetime(round(until * HOUR_US))}
    return {"device": 1, "machine": machine, "reason": reason, **times}


def test_missing_rows_are_told_with_their_cause() -> None:
    hours = [*range(100), *range(150, 200), *range(230, 300), *range(320, 400)]
    labels = [failure(0, 99), (0, label(0, 149, "maintenance"))]
    gaps = [gap(195, 229, "agent-down"), gap(0, 400, "other-machine", machine=11)]
    quality = assess(found([hours], [noise(1, len(hours))], labels=labels, gaps=gaps), pumps())
    assert quality.machines["pump-0"]["missing_hours"] == {
        "machine-stopped": 51.0,
        "agent-down": 31.0,
        "unexplained": 21.0,
    }
    assert quality.machines["pump-0"]["missing"] == pytest.approx(50 / 350, abs=1e-4)
    assert "up to 14% of the rows of pump-0 are missing" in told(quality, "missing")


def test_more_holes_than_rows_stop_the_line() -> None:
    hours = [*range(20), *range(100, 120)]
    quality = assess(found([hours], [noise(1, 40)]), pumps())
    (finding,) = quality.stopping
    assert finding.text == "67% of all rows are missing, at most 50% may be"


def test_rows_told_twice_count_once_and_contradictions_are_told() -> None:
    stored = rows([[*LONG, 3, 4]], [np.concatenate([noise(1), noise(1)[3:4], noise(2)[4:5]])], ids=[10])
    quality = assess(found([LONG], [], stored=stored), pumps())
    machine = quality.machines["pump-0"]
    assert (machine["rows"], machine["repeated"], machine["denied"]) == (400, 1, 1)
    assert "1 rows were told twice with other values on pump-0" in told(quality, "duplicates")


def test_clock_and_order_of_a_device_are_looked_at() -> None:
    stored = rows([LONG], [noise(1)], ids=[10])
    stored.sequence[7] = 0
    quality = assess(found([LONG], [], stored=stored, skew_s=-90), pumps())
    texts = [finding.text for finding in quality.findings]
    assert texts == [
        "rows told in another order than measured on pump-0",
        "the clock is off by over 60 s on the device of pump-0",
    ]


def test_rows_with_a_hole_are_left_out_and_counted() -> None:
    values = noise(1)
    values[5, 0] = np.nan
    result = found([LONG], [values])
    assert len(result.examples) == 399
    assert "could not be made on pump-0" in told(assess(result, pumps()), "missing")


def test_rows_whose_past_is_not_in_the_store_are_told_of_where_a_model_takes_a_memory() -> None:
    values = noise(1)
    values[:, 1] = np.arange(400) + 200  # the last feature is the age in readings
    late = found([LONG], [values])
    under = pumps(feature_set="condition-trend/1", conditions={"signals": ["flow"], "count": 1})
    text = told(assess(late, under), "memory")
    assert text.startswith("400 rows of pump-0 teach nothing")
    assert assess(late, pumps()).machines["pump-0"]["forgotten"] == 0


def test_machines_that_were_left_out_and_labels_that_contradict_are_told_of() -> None:
    sound = {"verdict": "wrong", "since": to_datetime(0).isoformat()}
    labels = [failure(0, 399), (0, label(0, 399, "verdict", **sound))]
    quality = assess(found([LONG], [noise(1)], labels=labels, left_out={"x": "its signals changed"}), pumps())
    assert told(quality, "left-out") == "x: its signals changed"
    assert told(quality, "labels").endswith("learnt as neither")


def test_what_no_machine_can_cause_stops_the_line() -> None:
    result = found([LONG], [noise(1)])
    result.examples.age[5] = -1
    text = told(assess(result, pumps()), "shape", stops=True)
    assert text == "1 rows whose life_age breaks greater_than_or_equal_to(0)"
