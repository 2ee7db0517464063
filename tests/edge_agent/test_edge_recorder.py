"""From readings to batches on disk: what is kept, what is left out, and that a restart changes nothing."""

import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from edge_models import BELOW_20, FixedReleases, release
from edge_recorders import AT_ONCE, NAMES, TREND, batches, events, rows, samples
from edge_world import START_US, positions, trend_reading

from edge_agent.config import UplinkSettings
from edge_agent.outbox import Outbox
from wire.batch import AlarmEvent, BatchClass, GapEvent
from wire.feed import Hello, Reading, Window
from wire.table import Machine, Signal, SignalKind, SignalTable


def test_every_value_becomes_one_sample_and_every_reading_one_feature_row(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    readings = [trend_reading(p) for p in range(1, 201)]
    for reading in readings:
        recorder.take(reading)
    recorder.flush()
    assert samples(outbox) == sorted(positions(readings))
    assert len(rows(outbox, BatchClass.FEATURE)) == 200
    assert recorder.stored.position == outbox.positions()["press-04"] == 200
    assert (recorder.stored.counters.samples, recorder.stored.counters.readings) == (600, 200)


def test_one_commit_serves_many_readings(opened) -> None:
    recorder, outbox = opened(UplinkSettings(max_rows=2000, max_age_s=60))
    recorder.hello(TREND)
    for position in range(1, 401):
        recorder.take(trend_reading(position))
    recorder.flush()
    assert [batch.batch_class for batch in batches(outbox)] == [BatchClass.FEATURE, BatchClass.SAMPLE]


def test_what_waits_too_long_is_committed_without_another_reading(opened) -> None:
    recorder, outbox = opened(UplinkSettings(max_age_s=0.05))
    recorder.hello(TREND)
    recorder.take(trend_reading(1))
    recorder.tick()
    assert outbox.backlog.batches == 0
    time.sleep(0.06)
    recorder.tick()
    assert outbox.backlog.batches == 2


def test_values_that_are_not_finite_are_left_out_and_their_neighbours_kept(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    nan, inf = float("nan"), float("inf")
    for position in range(2, 202, 2):  # machine 0
        recorder.take(replace(trend_reading(position), values=(1.0, nan, -inf)))
    recorder.flush()
    assert [signal for signal, _, _ in samples(outbox)] == [0] * 100
    assert recorder.stored.counters.left_out == 200
    (gap,) = events(outbox, GapEvent)
    assert (gap.reason, gap.machine) == ("not-finite", 0)
    assert (gap.from_us, gap.to_us) == (START_US + 2_000_000, START_US + 200_000_000)
    assert rows(outbox, BatchClass.FEATURE) == [], "no feature row before each signal was seen once"


def test_gaps_are_told_once_a_minute_and_the_rest_is_not_forgotten(opened) -> None:
    recorder, outbox = opened(AT_ONCE)
    recorder.hello(TREND)
    for position in range(2, 402, 2):
        recorder.take(replace(trend_reading(position), values=(1.0, float("nan"), 2.0)))
        time.sleep(0.002)
    assert len(events(outbox, GapEvent)) == 1
    again, outbox = opened(AT_ONCE)
    kept = again.position()  # what came after the last commit is given again by its source
    again.hello(TREND)
    again.take(trend_reading(402))
    again.flush()
    told = events(outbox, GapEvent)
    assert [gap.reason for gap in told] == ["not-finite", "not-finite"]
    assert told[1].to_us == trend_reading(kept).time_us, (
        "what was not told before the restart is told after it"
    )
    assert told[1].from_us > told[0].to_us


def test_unknown_machines_and_signals_are_left_out_by_name(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.take(Reading(position=1, machine=9, time_us=START_US, signals=(0,), values=(1.0,)))
    recorder.take(
        Reading(position=2, machine=0, time_us=START_US, signals=(0, 3, 99), values=(7.0, 8.0, 9.0))
    )
    recorder.flush()
    assert samples(outbox) == [(0, START_US, 7.0)], "signal 3 is another machine's"
    assert sorted((gap.machine, gap.reason) for gap in events(outbox, GapEvent)) == [
        (-1, "unknown-machine"),
        (0, "unknown-signal"),
    ]
    assert recorder.stored.counters.left_out == 3


def vibration_table() -> SignalTable:
    return SignalTable(
        machines=(Machine(name="pump-1", machine_class="motor-pump", feature_set="vibration/1"),),
        signals=(
            Signal(id=0, machine=0, name="speed", unit="1/min"),
            Signal(id=1, machine=0, name="vibration", unit="m/s2", kind=SignalKind.WAVEFORM, rate_hz=12000.0),
        ),
    )


def vibration_reading(position: int, window: np.ndarray | None, rate_hz: float = 12000.0) -> Reading:
    windows = () if window is None else (Window(signal=1, rate_hz=rate_hz, values=window),)
    time_us = START_US + position
    return Reading(
        position=position, machine=0, time_us=time_us, signals=(0,), values=(1500.0,), windows=windows
    )


def test_a_bad_window_is_a_gap_and_the_samples_beside_it_are_kept(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(Hello(table=vibration_table(), replayable=True))
    sound = np.random.default_rng(1).normal(size=2048).astype(np.float32)
    broken = sound.copy()
    broken[7] = np.nan
    for position, reading in enumerate(
        [
            vibration_reading(1, sound),
            vibration_reading(2, broken),
            vibration_reading(3, sound[:10]),
            vibration_reading(4, sound, rate_hz=11000.0),
            vibration_reading(5, None),
            vibration_reading(6, sound),
        ]
    ):
        recorder.take(replace(reading, position=position + 1))
    recorder.flush()
    assert [when - START_US for _, _, when, _ in rows(outbox, BatchClass.FEATURE)] == [1, 6]
    assert len(samples(outbox)) == 6
    assert [
        (gap.reason, gap.from_us - START_US, gap.to_us - START_US) for gap in events(outbox, GapEvent)
    ] == [("bad-window", 2, 4)]
    assert recorder.stored.counters.bad_windows == 3
    assert "pump-1" in recorder.last_error


def test_a_machine_of_an_unknown_feature_set_still_gives_its_samples(opened) -> None:
    recorder, outbox = opened()
    machine = Machine(name="m", machine_class="c", feature_set="magic/9")
    table = SignalTable(machines=(machine,), signals=(Signal(id=0, machine=0, name="a", unit="1"),))
    recorder.hello(Hello(table=table, replayable=True))
    recorder.take(Reading(position=1, machine=0, time_us=START_US, signals=(0,), values=(1.0,)))
    recorder.flush()
    assert samples(outbox) == [(0, START_US, 1.0)]
    assert "magic/9" in recorder.last_error


def everything(outbox: Outbox) -> tuple:
    alarms = [(e.time_us, e.machine, e.state, e.opened_us) for e in events(outbox, AlarmEvent)]
    kinds = (BatchClass.FEATURE, BatchClass.PREDICTION)
    return samples(outbox), *(rows(outbox, kind) for kind in kinds), sorted(alarms)


def test_an_agent_that_dies_again_and_again_stores_what_one_that_lives_stores(opened, tmp_path: Path) -> None:
    releases = FixedReleases(release(NAMES, 1, alarms=(BELOW_20,), life=20.0, slope=15.0))
    steady, outbox = opened(AT_ONCE)
    steady.use(releases)
    steady.hello(TREND)
    for position in range(1, 301):
        steady.take(trend_reading(position))
    steady.flush()
    expected = everything(outbox)
    outbox.close()
    for file in tmp_path.glob("outbox.db*"):
        file.unlink()
    chance = random.Random(3)
    position = 0
    while position < 300:
        mortal, outbox = opened(UplinkSettings(max_age_s=0.01))
        mortal.use(releases)
        mortal.hello(TREND)
        position = mortal.position()
        for _ in range(chance.randrange(60)):
            position = min(position + 1, 300)
            mortal.take(trend_reading(position)) if position > mortal.position() else None
            time.sleep(0.001)
        if position == 300:
            mortal.flush()
        position = outbox.positions().get("press-04", 0)
    found = everything(outbox)
    assert len(expected[3]) > 3, "the alarm opens and closes"
    assert found == expected
