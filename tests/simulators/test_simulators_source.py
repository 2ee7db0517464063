"""Positions, times and counts of a simulated plant are facts, whoever asks and in whatever order."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import sets
from simulators.errors import SettingError, TruthError
from simulators.motor_pump_traits import draw_traits
from simulators.plant import Plant, PumpSource
from simulators.plant_truth import log_book, truth_lines
from simulators.schedule import Schedule, plan
from wire.clock import Clock, to_us
from wire.feed import Reading
from wire.table import SignalKind

CLOCK = Clock.parse("2026-09-01T00:00:00Z,43200,1795438400.0")
HOUR_US = 3_600_000_000


def plant(**changes: object) -> Plant:
    schedule = plan(CLOCK, begin_us=CLOCK.start_us, interval_s=1200, window_s=7200)
    made = Plant(seed=5, devices=("sim-1", "sim-2"), machines_per_device=2, life_days=4, schedule=schedule)
    return replace(made, **changes)  # type: ignore[arg-type]  # names are checked by dataclasses


def source() -> PumpSource:
    return plant().sources()["sim-1"]


def same(a: Reading, b: Reading) -> bool:
    plain = ("position", "machine", "time_us", "signals", "values")
    return all(getattr(a, name) == getattr(b, name) for name in plain) and all(
        x.signal == y.signal and x.rate_hz == y.rate_hz and np.array_equal(x.values, y.values)
        for x, y in zip(a.windows, b.windows, strict=True)
    )


def test_two_plants_of_one_seed_tell_the_same_story() -> None:
    for one, other in islice(zip(source().readings(0), source().readings(0), strict=False), 300):
        assert same(one, other)


def test_devices_of_a_plant_differ() -> None:
    both = plant().sources()
    first, second = (next(iter(both[name].readings(0))) for name in ("sim-1", "sim-2"))
    assert first.values != second.values


@pytest.mark.parametrize("after", [0, 1, 2, 511, 512, 513, 700])
def test_going_on_from_a_position_gives_what_was_to_come(after: int) -> None:
    whole = [reading for reading in islice(source().readings(0), 900) if reading.position > after]
    for expected, got in zip(whole[:40], source().readings(after), strict=False):
        assert same(expected, got)


def test_positions_rise_and_times_never_fall() -> None:
    readings = list(islice(source().readings(0), 3000))
    positions = [reading.position for reading in readings]
    times = [reading.time_us for reading in readings]
    assert positions[0] >= 1
    assert all(a < b for a, b in pairwise(positions))
    assert all(a <= b for a, b in pairwise(times))
    assert times[0] == CLOCK.start_us


def test_counts_up_to_a_position_are_exact_through_standstills() -> None:
    asked, counted, emitted = source(), source(), 0
    stood_still = False
    previous = 0
    for reading in islice(counted.readings(0), 4000):
        stood_still |= reading.position > previous + 1
        if reading.position > previous + 1:  # within the hole nothing is added
            assert asked.samples_until(reading.position - 1) == emitted
        previous = reading.position
        emitted += len(reading.values)
        assert asked.samples_until(reading.position) == emitted
    assert stood_still
    assert asked.samples_until(0) == 0


def test_a_machine_is_silent_from_its_failure_to_its_repair() -> None:
    feed = source()
    readings = list(islice(feed.readings(0), 4000))
    last_us = readings[-1].time_us
    checked = 0
    for machine, pump in enumerate(feed.machines):
        times = np.array([reading.time_us for reading in readings if reading.machine == machine])
        for life in pump.lives_until(last_us):
            assert not ((times >= life.end_us) & (times < life.restart_us)).any()
            checked += life.restart_us < last_us
    assert checked >= 4


def test_windows_come_on_both_axes_and_at_their_own_pace() -> None:
    readings = list(islice(source().readings(0), 600))
    with_windows = [reading for reading in readings if reading.windows]
    assert len(with_windows) == pytest.approx(len(readings) / 6, rel=0.05)
    table = source().table
    for reading in with_windows:
        assert [table.signals[w.signal].name for w in reading.windows] == ["vibration_x", "vibration_y"]
        assert {table.signals[w.signal].machine for w in reading.windows} == {reading.machine}
        assert all(len(w.values) == 4096 and w.rate_hz == 12_800 for w in reading.windows)


def test_the_signal_table_names_units_and_kinds() -> None:
    table = source().table
    assert [machine.name for machine in table.machines] == ["sim-1-pump-1", "sim-1-pump-2"]
    assert {machine.machine_class for machine in table.machines} == {"motor-pump"}
    scalars = table.signals_of(1, SignalKind.SCALAR)
    assert {s.name: s.unit for s in scalars} == {
        "temperature": "Cel",
        "pressure": "bar",
        "flow": "L/min",
        "current": "A",
        "speed": "1/min",
    }


def test_default_intervals_follow_the_factor_and_end_at_real_time() -> None:
    schedule = plan(CLOCK, begin_us=CLOCK.start_us)
    assert 10 * 60 <= schedule.interval_us / 1e6 <= 20 * 60
    assert schedule.window_ticks * schedule.interval_us == pytest.approx(2 * HOUR_US, rel=0.1)
    live = schedule.times_us(schedule.past_ticks, 3)
    assert live[0] - CLOCK.caught_up_us < schedule.interval_us
    assert np.diff(live).tolist() == [1_000_000, 1_000_000]


def test_a_real_clock_gives_a_reading_a_second_and_a_window_every_ten() -> None:
    schedule = plan(Clock.real(), begin_us=10)
    assert schedule.times_us(0, 3).tolist() == [10, 1_000_010, 2_000_010]
    assert [tick for tick in range(30) if schedule.has_window(tick, 0)] == [0, 10, 20]


@settings(max_examples=200, deadline=None)
@given(
    interval=st.integers(1, 10**10),
    live=st.integers(1, 10**8),
    past=st.integers(-(10**12), 10**12),
    tick=st.integers(0, 10**4),
)
def test_ticks_and_times_are_each_others_inverse(interval: int, live: int, past: int, tick: int) -> None:
    schedule = Schedule(
        begin_us=1000,
        interval_us=interval,
        window_ticks=6,
        live_from_us=1000 + past,
        live_interval_us=live,
        live_window_ticks=10,
    )
    time_us = int(schedule.times_us(tick, 1)[0])
    assert schedule.ticks_before(time_us) == tick
    assert schedule.ticks_before(time_us + 1) == tick + 1


@pytest.mark.parametrize("interval", [0.0, -5.0, float("nan"), 1e9])
def test_an_impossible_interval_is_refused(interval: float) -> None:
    with pytest.raises(SettingError, match="--interval"):
        plan(CLOCK, begin_us=CLOCK.start_us, interval_s=interval)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"devices": ()}, "device names"),
        ({"devices": ("a", "a")}, "different device names"),
        ({"devices": ("a/b",)}, "'a/b'"),
        ({"machines_per_device": 0}, "got 0"),
        ({"life_days": 0.1}, "got 0.1"),
        ({"seed": -1}, "got -1"),
    ],
)
def test_a_plant_that_cannot_be_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        plant(**change)


def test_a_plant_comes_back_from_its_stored_settings() -> None:
    assert Plant.from_fields(plant().to_fields()) == plant()
    with pytest.raises(TruthError, match="seed"):
        Plant.from_fields({"kind": "simulated machines"})
    with pytest.raises(TruthError, match="replay"):
        Plant.from_fields({"kind": "replay of skab"})


def test_the_log_book_holds_nothing_that_has_not_happened() -> None:
    sources = plant().sources()
    until_us = CLOCK.start_us + 15 * 24 * HOUR_US
    book = log_book(sources, until_us)
    assert {line["kind"] for line in book} == {"failure", "maintenance"}
    assert all(moment(line["time"]) <= until_us for line in book)
    assert [line["time"] for line in book] == sorted(line["time"] for line in book)
    earlier = log_book(sources, until_us - 7 * 24 * HOUR_US)
    assert earlier == book[: len(earlier)]
    failures = {(t["machine"], t["failure"]) for t in truth_lines(sources, until_us) if t["failure"]}
    assert {(line["machine"], line["time"]) for line in book if line["kind"] == "failure"} <= failures


def moment(text: str) -> int:
    from datetime import datetime

    return to_us(datetime.fromisoformat(text))


def test_the_bearing_that_is_declared_is_the_one_that_is_simulated() -> None:
    """Within the percent or two by which load moves its lines: the contact angle under load nobody declares."""
    made = source()
    for place, machine in enumerate(made.table.machines):
        scalars = made.table.signals_of(place, SignalKind.SCALAR)
        declared = sets.bearing_of(machine.feature_set, scalars, machine.bearing)
        assert machine.bearing is not None
        assert declared is not None, "there is a speed, and lines are looked for"
        real = draw_traits(5, machine.name).bearing
        assert declared.outer_race == pytest.approx(real.outer_race, rel=0.02)
        assert declared.inner_race == pytest.approx(real.inner_race, rel=0.02)
        assert declared.ball_spin == pytest.approx(real.ball_spin, rel=0.05)
