"""From readings to batches on disk: what is kept, what is told, and that a restart changes nothing."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edge_models import BELOW_20, FixedReleases, release
from edge_world import START_US, positions, trend_reading, trend_table

from edge_agent import recorder as recording
from edge_agent.config import UplinkSettings
from edge_agent.feed import Feed
from edge_agent.outbox import Key, Outbox
from edge_agent.recorder import Recorder
from kernels import sets
from wire.batch import AlarmEvent, Batch, BatchClass, GapEvent, ReportEvent
from wire.clock import Clock
from wire.codec import decode
from wire.feed import Hello, Reading, Window
from wire.messages import Marks
from wire.table import Machine, Signal, SignalKind, SignalTable

TREND = Hello(table=trend_table(), replayable=True)
NAMES = sets.make("trend/1", scalars=["s0", "s1", "s2"]).names
USUAL = UplinkSettings()
AT_ONCE = UplinkSettings(max_rows=1, max_age_s=0.05)


class Bystander:
    """A watcher that counts."""

    def __init__(self) -> None:
        self.commits = self.tables = 0

    def committed(self) -> None:
        self.commits += 1

    def table_changed(self) -> None:
        self.tables += 1

    def behind(self) -> bool:
        return False


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., tuple[Recorder, Outbox]]]:
    """Opens the device's outbox, again and again if asked, with a recorder on it."""
    outboxes: list[Outbox] = []

    def open_again(settings: UplinkSettings = USUAL, **options) -> tuple[Recorder, Outbox]:
        if outboxes:
            outboxes[-1].close()
        outbox = Outbox.open(tmp_path / "outbox.db", **({"max_bytes": 1 << 30} | options))
        outboxes.append(outbox)
        recorder = Recorder(
            source="press-04", outbox=outbox, settings=settings, clock=Clock.real(), watcher=Bystander()
        )
        return recorder, outbox

    yield open_again
    outboxes[-1].close()


def batches(outbox: Outbox) -> list[Batch]:
    found = [q for alarms in (True, False) for q in outbox.after(Key(0, 0), limit=10_000, alarms=alarms)]
    return [decode(queued.payload) for queued in sorted(found, key=lambda queued: queued.key)]


def samples(outbox: Outbox) -> list[tuple[int, int, float]]:
    return sorted(
        (series.signal, int(when), float(value))
        for batch in batches(outbox)
        for series in batch.series
        for when, value in zip(series.times, series.values, strict=True)
    )


def rows(outbox: Outbox, kind: BatchClass) -> list[tuple[int, str, int, tuple[float, ...]]]:
    return sorted(
        (part.machine, part.source, int(when), tuple(map(float, values)))
        for batch in batches(outbox)
        if batch.batch_class is kind
        for part in batch.rows
        for when, values in zip(part.times, part.values, strict=True)
    )


def events(outbox: Outbox, kind: type) -> list:
    return [event for batch in batches(outbox) for event in batch.events if isinstance(event, kind)]


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
    again.hello(TREND)
    again.take(trend_reading(402))
    again.flush()
    told = events(outbox, GapEvent)
    assert [gap.reason for gap in told] == ["not-finite", "not-finite"]
    assert told[1].to_us >= START_US + 398_000_000, "what was not told before the restart is told after it"
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


def test_predictions_carry_their_interval_and_their_release(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.use(FixedReleases(release(NAMES, 3, life=60.0)))
    recorder.take(trend_reading(2))
    recorder.flush()
    ((machine, source, _, values),) = rows(outbox, BatchClass.PREDICTION)
    assert (machine, source) == (0, "engine-life/3")
    assert values == (60.0, 40.0, 90.0, 0.25), "remaining life, lower, upper, anomaly"


def test_a_new_release_that_fails_is_told_and_the_old_one_answers_in_its_own_name(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    releases = FixedReleases(
        release(NAMES, 2, life=1.0, divide_by=0.0), old=release(NAMES, 1, alarms=(BELOW_20,), life=5.0)
    )
    recorder.use(releases)
    recorder.take(trend_reading(2))
    recorder.take(trend_reading(4))
    recorder.flush()
    assert {source for _, source, _, _ in rows(outbox, BatchClass.PREDICTION)} == {"engine-life/1"}
    assert all("expected finite outputs" in str(told["error"]) for told in releases.observed)
    assert len(releases.observed) == recorder.stored.counters.predictions_by_old == 2
    (alarm,) = events(outbox, AlarmEvent)
    assert (alarm.release, alarm.state, alarm.severity) == ("engine-life/1", "opened", 0.75)
    assert alarm.message == "remaining life 5 h: at or below 20 h 2 times in a row"


def test_both_releases_answer_the_same_features_while_one_is_on_probation(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    releases = FixedReleases(release(NAMES, 2, life=50.0), old=release(NAMES, 1, life=40.0))
    recorder.use(releases)
    recorder.take(trend_reading(2))
    recorder.flush()
    (told,) = releases.observed
    assert (told["outputs"][0, 0], told["old"][0, 0], told["error"]) == (50.0, 40.0, None)
    assert {source for _, source, _, _ in rows(outbox, BatchClass.PREDICTION)} == {"engine-life/2"}


def test_a_release_for_other_features_predicts_nothing_and_says_why(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    releases = FixedReleases(release((*NAMES[:-1], "weight"), 2, life=50.0))
    recorder.use(releases)
    recorder.take(trend_reading(2))
    recorder.flush()
    assert rows(outbox, BatchClass.PREDICTION) == []
    assert recorder.last_error == "engine-life/2: expected feature 'weight', this machine gives 'age'"
    assert [gap.reason for gap in events(outbox, GapEvent)] == ["no-prediction"]


def test_alarms_open_and_close_with_the_same_opening_time(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.use(FixedReleases(release(NAMES, 1, alarms=(BELOW_20,), life=0.0, slope=1.0)))
    for position, life in zip(range(2, 20, 2), [50, 19, 18, 25, 31, 40, 40, 10, 10], strict=True):
        recorder.take(replace(trend_reading(position), values=(float(life), 0.0, 0.0)))
    recorder.flush()
    second = START_US // 1_000_000
    told = [
        (e.state, e.time_us // 1_000_000 - second, e.opened_us // 1_000_000 - second)
        for e in events(outbox, AlarmEvent)
    ]
    assert told == [("opened", 6, 6), ("closed", 12, 6), ("opened", 18, 18)]


def test_an_alarm_that_the_new_release_does_not_watch_is_closed(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.use(FixedReleases(release(NAMES, 1, alarms=(BELOW_20,), life=5.0)))
    recorder.take(trend_reading(2))
    recorder.take(trend_reading(4))
    recorder.use(FixedReleases(release(NAMES, 2, life=5.0)))
    recorder.take(trend_reading(6))
    recorder.flush()
    told = events(outbox, AlarmEvent)
    assert [(event.state, event.release) for event in told] == [
        ("opened", "engine-life/1"),
        ("closed", "engine-life/2"),
    ]
    assert told[0].opened_us == told[1].opened_us


def test_a_live_source_that_was_missed_is_a_gap(opened) -> None:
    live = Hello(table=trend_table(), replayable=False)
    recorder, outbox = opened()
    recorder.hello(live)
    recorder.take(trend_reading(50))
    recorder.flush()
    assert events(outbox, GapEvent) == [], "a device that never ran has missed nothing"
    again, outbox = opened()
    again.hello(live)
    again.take(replace(trend_reading(70), position=1))
    again.lost()
    again.hello(live)
    again.take(replace(trend_reading(90), position=1))
    again.flush()
    told = [
        ((g.from_us - START_US) // 1_000_000, (g.to_us - START_US) // 1_000_000, g.reason)
        for g in events(outbox, GapEvent)
    ]
    assert told == [(50, 70, "agent-down"), (70, 90, "source-away")]


def test_batches_taken_under_an_older_table_keep_its_hash(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.take(trend_reading(2))
    other = trend_table(machines=3)
    recorder.hello(Hello(table=other, replayable=True))
    recorder.take(trend_reading(4))
    recorder.flush()
    assert [batch.table_hash for batch in batches(outbox)] == [TREND.table.hash] * 2 + [other.hash] * 2
    assert recorder.tables.older() == (TREND.table,)
    again, outbox = opened()
    assert again.tables.current == other
    assert again.tables.older() == (TREND.table,)
    assert len(rows(outbox, BatchClass.FEATURE)) == 2, "the machines' memories go on"


def test_a_refusing_outbox_makes_the_source_wait_and_loses_nothing(opened) -> None:
    recorder, outbox = opened(AT_ONCE, max_bytes=3000, refuses=True)
    recorder.hello(TREND)
    seen: list[tuple[int, int, float]] = []

    def feed() -> None:
        for position in range(1, 201):
            recorder.take(trend_reading(position))
            time.sleep(0.001)

    reader = threading.Thread(target=feed)
    reader.start()
    deadline = time.monotonic() + 20
    while reader.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
        seen += samples(outbox)
        top = max((batch.sequence for batch in batches(outbox)), default=0)
        outbox.forget([Marks(epoch=outbox.epoch, mark=top)])
    reader.join(1)
    recorder.flush()
    seen += samples(outbox)
    assert sorted(seen) == sorted(positions([trend_reading(p) for p in range(1, 201)]))
    assert outbox.dropped == 0


def test_a_report_is_on_disk_when_the_call_returns_even_in_a_full_outbox(opened) -> None:
    recorder, outbox = opened(AT_ONCE, max_bytes=3000, refuses=True)
    recorder.hello(TREND)
    while not recorder.full:
        recorder.take(trend_reading(recorder.position() + 1))
        time.sleep(0.01)
    report = ReportEvent(time_us=1, use_case="u", directive_sequence=7, state="idle", event="accepted")
    recorder.report(report)
    assert events(outbox, ReportEvent) == [report]
    recorder.stop()


def test_an_outbox_out_of_an_older_image_tells_from_where_on_it_does_not_know(opened) -> None:
    recorder, outbox = opened()
    recorder.hello(TREND)
    recorder.take(trend_reading(50))
    recorder.flush()
    recorder, restored = opened()  # as the image has it; the hub has settled more of that epoch since
    recorder.hello(TREND)
    restored.forget([Marks(epoch=outbox.epoch, mark=restored.floors()[0].next + 40)])
    recorder.take(trend_reading(51))
    recorder.flush()
    (gap,) = events(restored, GapEvent)
    assert (gap.reason, gap.machine, gap.from_us) == ("image-restored", -1, START_US + 50_000_000)
    recorder.take(trend_reading(52))
    recorder.flush()
    assert len(events(restored, GapEvent)) == 1, "once"


def test_a_live_source_in_an_older_image_has_a_gap_from_the_images_newest_reading(
    opened, tmp_path: Path
) -> None:
    live = Hello(table=trend_table(), replayable=False)
    recorder, outbox = opened()
    recorder.hello(live)
    recorder.take(replace(trend_reading(10), position=1))
    recorder.flush()
    outbox.close()
    image = (tmp_path / "outbox.db").read_bytes()
    recorder, outbox = opened()
    recorder.hello(live)
    recorder.take(replace(trend_reading(30), position=1))
    recorder.flush()
    outbox.close()
    (tmp_path / "outbox.db").write_bytes(image)
    recorder, outbox = opened()
    recorder.hello(live)
    recorder.take(replace(trend_reading(90), position=1))
    recorder.flush()
    (gap,) = events(outbox, GapEvent)
    assert (gap.reason, gap.from_us, gap.to_us) == (
        "agent-down",
        START_US + 10_000_000,
        START_US + 90_000_000,
    )


def test_rows_bytes_and_age_each_close_a_batch_and_memory_stays_bounded(
    opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LARGEST", 4096)
    recorder, outbox = opened(UplinkSettings(max_rows=100_000, max_age_s=60))
    recorder.hello(TREND)
    most = 0
    for position in range(1, 301):
        recorder.take(trend_reading(position))
        most = max(most, recorder._columns.bytes)
    assert most < 4096, "bytes close it under load"
    closed = outbox.backlog.batches
    assert closed > 4
    recorder, outbox = opened(UplinkSettings(max_rows=10, max_age_s=60))
    recorder.hello(TREND)
    for position in range(301, 401):
        recorder.take(trend_reading(position))
    assert outbox.backlog.batches > closed, "rows do, at once where there are twenty times too many"
    recorder, outbox = opened(UplinkSettings(max_rows=100_000, max_age_s=0.02))
    recorder.hello(TREND)
    recorder.take(trend_reading(401))
    held = outbox.backlog.batches
    time.sleep(0.03)
    recorder.take(trend_reading(402))
    assert outbox.backlog.batches > held, "age does while readings come"
    recorder.take(trend_reading(403))
    held = outbox.backlog.batches
    time.sleep(0.03)
    recorder.tick()
    assert outbox.backlog.batches > held, "and while none come"


def test_a_table_that_changes_while_the_outbox_refuses_waits_and_ends_no_thread(opened) -> None:
    recorder, outbox = opened(AT_ONCE, max_bytes=3000, refuses=True)
    recorder.hello(TREND)
    while not recorder.full:
        recorder.take(trend_reading(recorder.position() + 1))
        time.sleep(0.01)
    other = Hello(table=trend_table(machines=3), replayable=True)
    changing = threading.Thread(target=recorder.hello, args=(other,))
    changing.start()
    changing.join(0.5)
    assert changing.is_alive()
    outbox.forget([Marks(epoch=outbox.epoch, mark=outbox.newest.sequence)])
    changing.join(10)
    assert not changing.is_alive()
    assert recorder.tables.current == other.table


def test_a_feed_that_never_began_is_stopped_all_the_same(opened) -> None:
    recorder, _ = opened()
    feed = Feed(source="press-04", address="unix:/nobody", sink=recorder, random=random.Random(1))
    feed.stop()
    assert not feed.alive()
