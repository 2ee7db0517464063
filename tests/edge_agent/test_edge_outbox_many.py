"""Very many batches that go at once: bit by bit, for the log holds the pages of all that one transaction changes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.draft import Draft, Packed
from edge_agent.outbox import MOST_DROPPED, Key, Outbox
from wire.batch import BatchClass, ReportEvent, Series
from wire.messages import Marks

TABLE = bytes(32)
ROOMY = 1 << 30
LONG = 10 << 20  # bytes: more than a log grows to before a commit moves it


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "outbox.db"


def samples(size: int) -> Packed:
    values = np.random.default_rng(size).normal(size=size)
    series = Series(signal=0, times=np.arange(size, dtype=np.int64), values=values)
    return Draft(batch_class=BatchClass.SAMPLE, table_hash=TABLE, series=(series,)).packed()


def report() -> Draft:
    event = ReportEvent(time_us=0, use_case="u", directive_sequence=1, state="idle", event="accepted")
    return Draft(batch_class=BatchClass.ALARM, table_hash=TABLE, events=(event,))


def sequences(outbox: Outbox) -> list[int]:
    return [queued.key.sequence for queued in outbox.after(Key(0, 0), limit=10_000, alarms=False)]


def log_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def test_a_mark_that_settles_very_many_at_once_makes_no_long_log(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    for _ in range(20):
        outbox.commit([samples(100)] * 1000, now_us=0)
    before = outbox.backlog.bytes
    assert outbox.forget([Marks(epoch=outbox.epoch, mark=1, beyond=((3, 19_000),))]) == 18_999
    assert sequences(outbox) == [2, *range(19_001, 20_001)]
    assert outbox.backlog.bytes < before / 16
    assert log_bytes(path) < LONG
    outbox.close()


def test_a_budget_made_much_smaller_is_kept_to_bit_by_bit(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    for _ in range(20):
        outbox.commit([samples(1000)] * 250, now_us=0)
    outbox.close()
    outbox = Outbox.open(path, max_bytes=1 << 20)
    held, turns = outbox.backlog.bytes, 0
    while outbox.backlog.bytes > 1 << 20:
        outbox.commit([report()], now_us=0)
        assert held - outbox.backlog.bytes < MOST_DROPPED + (1 << 16)
        held, turns = outbox.backlog.bytes, turns + 1
    assert turns > 5
    assert log_bytes(path) < LONG
    outbox.close()
