"""Sources that go away, change or are too much; images, full outboxes: what a recorder makes of them."""

import random
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from edge_recorders import AT_ONCE, TREND, batches, events, rows, samples
from edge_world import START_US, positions, trend_reading, trend_table

from edge_agent import recorder as recording
from edge_agent.config import UplinkSettings
from edge_agent.feed import Feed
from edge_agent.machine_line import MOST_PLANS
from wire.batch import BatchClass, GapEvent, ReportEvent
from wire.feed import Hello
from wire.messages import Marks
from wire.table import Machine, Signal, SignalTable


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


def test_a_clock_that_begins_in_1970_makes_no_gap_of_decades(opened) -> None:
    live = Hello(table=trend_table(), replayable=False)
    recorder, outbox = opened()
    recorder.hello(live)
    recorder.take(trend_reading(50))
    recorder.flush()
    again, outbox = opened()
    again.hello(live)
    again.take(replace(trend_reading(1), time_us=20_000_000, position=1))
    again.flush()
    assert events(outbox, GapEvent) == [], "how long it was is not known yet"
    again.take(replace(trend_reading(70), position=2))
    again.flush()
    told = [(gap.from_us, gap.to_us, gap.reason) for gap in events(outbox, GapEvent)]
    assert told == [(trend_reading(50).time_us, trend_reading(70).time_us, "agent-down")]


def test_one_reading_from_the_future_does_not_spoil_the_gaps_to_come(opened) -> None:
    live = Hello(table=trend_table(), replayable=False)
    recorder, outbox = opened()
    recorder.hello(live)
    far_us = round(time.time() * 1e6) + 400 * 86_400_000_000
    recorder.take(replace(trend_reading(50), time_us=far_us))
    recorder.take(trend_reading(60))
    recorder.lost()
    recorder.hello(live)
    recorder.take(replace(trend_reading(90), position=1))
    recorder.flush()
    told = [(gap.from_us, gap.to_us, gap.reason) for gap in events(outbox, GapEvent)]
    assert told == [(trend_reading(60).time_us, trend_reading(90).time_us, "source-away")]


def test_a_source_that_tells_only_what_changed_takes_no_more_memory_for_it(opened) -> None:
    recorder, _ = opened()
    recorder.hello(Hello(table=wide_table(), replayable=True))
    for number in range(1, 2 * MOST_PLANS):
        told = tuple(place for place in range(12) if number >> place & 1)
        recorder.take(replace(trend_reading(number), signals=told, values=(1.0,) * len(told)))
    (line,) = recorder._pipeline.lines
    assert len(line._plans) <= MOST_PLANS


def wide_table() -> SignalTable:
    return SignalTable(
        machines=(Machine(name="engine-0", machine_class="engine"),),
        signals=tuple(Signal(id=each, machine=0, name=f"s{each}", unit="1") for each in range(12)),
    )


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
        for position in range(1, 101):
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
    assert sorted(seen) == sorted(positions([trend_reading(p) for p in range(1, 101)]))
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
