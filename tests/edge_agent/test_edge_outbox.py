"""The outbox under ordinary use, a full disk, a damaged file and being opened again."""

import shutil
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_agent.draft import Draft
from edge_agent.errors import OutboxError, OutboxFullError
from edge_agent.outbox import Key, Outbox
from wire.batch import Batch, BatchClass, Event, GapEvent, ReportEvent, Rows, Series
from wire.codec import decode
from wire.messages import EpochFloor, Marks

TABLE = b"t" * 32
ROOMY = 1 << 30


def samples(first: int = 0, size: int = 10) -> Draft:
    times = np.arange(first, first + size, dtype=np.int64)
    series = Series(signal=0, times=times, values=np.random.default_rng(first).normal(size=size))
    return Draft(batch_class=BatchClass.SAMPLE, table_hash=TABLE, series=(series,))


def features(first: int = 0) -> Draft:
    values = np.random.default_rng(first).normal(size=(4, 200)).astype(np.float32)
    rows = Rows(machine=0, source="trend/1", times=np.arange(first, first + 4), values=values)
    return Draft(batch_class=BatchClass.FEATURE, table_hash=TABLE, rows=(rows,))


def report(time_us: int = 0) -> Draft:
    event = ReportEvent(time_us=time_us, use_case="u", directive_sequence=1, state="idle", event="accepted")
    return Draft(batch_class=BatchClass.ALARM, table_hash=TABLE, events=(event,))


def everything(outbox: Outbox) -> list[tuple[Key, Batch]]:
    found = [
        (queued.key, decode(queued.payload))
        for alarms in (True, False)
        for queued in outbox.after(Key(0, 0), limit=10_000, alarms=alarms)
    ]
    return sorted(found, key=lambda item: item[0])


def events(outbox: Outbox) -> list[Event]:
    return [event for _, batch in everything(outbox) for event in batch.events]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def test_every_commit_reaches_the_disk_before_it_returns(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    assert outbox.synchronous() == 2  # FULL
    outbox.commit([samples()], now_us=0)
    outbox.forget([Marks(epoch=outbox.epoch, mark=1)])
    assert outbox.synchronous() == 2, "also after what needs no sync"
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    outbox.close()


def test_each_opening_draws_a_new_epoch_and_queued_batches_keep_theirs(path: Path) -> None:
    first = Outbox.open(path, max_bytes=ROOMY)
    first.commit([samples(), samples()], now_us=0)
    first.close()
    second = Outbox.open(path, max_bytes=ROOMY)
    second.commit([samples()], now_us=0)
    told = [(batch.epoch, batch.sequence) for _, batch in everything(second)]
    assert told == [(first.epoch, 1), (first.epoch, 2), (second.epoch, 1)]
    assert second.floors() == (
        EpochFloor(epoch=first.epoch, floor=1, next=3),
        EpochFloor(epoch=second.epoch, floor=1, next=2),
    )
    second.close()


def test_a_resend_is_byte_for_byte_the_same(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([samples()], now_us=0)
    (queued,) = outbox.after(Key(0, 0), limit=9, alarms=False)
    outbox.close()
    again = Outbox.open(path, max_bytes=ROOMY)
    assert again.payload(queued.key) == queued.payload
    again.close()


def test_the_floor_in_a_batch_is_the_lowest_sequence_still_held(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([samples(), samples(), samples()], now_us=0)
    outbox.forget([Marks(epoch=outbox.epoch, mark=1)])
    outbox.commit([samples()], now_us=0)
    assert [batch.floor for _, batch in everything(outbox)] == [1, 1, 2]
    outbox.close()


def test_marks_are_a_union_and_foreign_epochs_are_ignored(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([samples(n) for n in range(8)], now_us=0)
    outbox.forget([Marks(epoch=outbox.epoch, mark=2, beyond=((5, 6),)), Marks(epoch=7, mark=99)])
    outbox.forget([Marks(epoch=outbox.epoch, mark=1)])
    assert [key.sequence for key, _ in everything(outbox)] == [3, 4, 7, 8]
    assert outbox.backlog.batches == 4
    outbox.close()


def test_an_old_epoch_is_told_of_until_the_hub_has_settled_all_of_it(path: Path) -> None:
    first = Outbox.open(path, max_bytes=ROOMY)
    first.commit([samples(), samples()], now_us=0)
    first.close()
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.forget([Marks(epoch=first.epoch, mark=0, beyond=((1, 2),))])
    assert outbox.floors()[0] == EpochFloor(epoch=first.epoch, floor=3, next=3)
    outbox.forget([Marks(epoch=first.epoch, mark=2), Marks(epoch=outbox.epoch, mark=0)])
    assert [item.epoch for item in outbox.floors()] == [outbox.epoch]
    outbox.close()


def test_positions_states_and_batches_are_written_together_or_not_at_all(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([samples()], now_us=0, positions={"a": 5}, states={"m": b"old"})
    with pytest.raises(OutboxError, match="cannot be written"):
        outbox.commit([samples()], now_us=0, positions={"a": 9}, states={"m": object()})  # type: ignore[dict-item]
    assert (outbox.positions(), outbox.states()) == ({"a": 5}, {"m": b"old"})
    assert outbox.backlog.batches == len(everything(outbox)) == 1
    outbox.commit([samples()], now_us=0, positions={"a": 7}, states={"m": b"new"})
    assert [key.sequence for key, _ in everything(outbox)] == [1, 2], "the failed one left no hole"
    outbox.close()


def test_a_full_outbox_drops_the_least_precious_class_first_and_the_oldest_in_it(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([report(), features(1), samples(2), samples(3), features(4)], now_us=0)
    whole = outbox.backlog.bytes
    outbox.close()
    outbox = Outbox.open(path, max_bytes=whole)
    outbox.commit([samples(5)], now_us=0)
    assert [key.sequence for key, batch in everything(outbox) if key.number == 1] == [1, 2, 4, 5]
    outbox.commit([features(6)], now_us=0)
    left = [batch.batch_class for _, batch in everything(outbox)]
    assert left.count(BatchClass.ALARM) == 1
    assert left.count(BatchClass.SAMPLE) < 2
    assert outbox.backlog.bytes <= whole
    outbox.close()


def test_a_new_sample_goes_before_an_old_feature(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([features(1), features(2)], now_us=0)
    whole = outbox.backlog.bytes
    outbox.close()
    outbox = Outbox.open(path, max_bytes=whole + 10)
    outbox.commit([samples(3)], now_us=0, positions={"a": 3})
    assert {batch.batch_class for _, batch in everything(outbox)} == {BatchClass.FEATURE}
    assert (outbox.positions(), outbox.dropped) == ({"a": 3}, 1)
    outbox.close()


def test_what_was_dropped_is_told_as_a_gap_with_its_sequences_and_times(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=1000)
    for first in (100, 200, 300, 400, 500, 600, 700):
        outbox.commit([samples(first)], now_us=0)
    held = {key.sequence for key, _ in everything(outbox)}
    outbox.close()
    roomy = Outbox.open(path, max_bytes=ROOMY)
    roomy.commit([report()], now_us=999, tell_losses=True)
    gaps = [event for event in events(roomy) if isinstance(event, GapEvent)]
    assert len(gaps) == 1, "neighbours are one gap"
    gap = gaps[0]
    assert (gap.reason, gap.time_us, gap.epoch, gap.first_sequence) == ("disk-full", 999, outbox.epoch, 1)
    assert (gap.from_us, gap.to_us) == (100, 100 * gap.last_sequence + 9)
    assert held == set(range(gap.last_sequence + 1, 8)), "held or told, never neither, never both"
    roomy.close()


def test_losses_not_told_yet_survive_a_restart(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=600)
    for first in range(0, 90, 10):
        outbox.commit([samples(first)], now_us=0)
    outbox.close()
    again = Outbox.open(path, max_bytes=ROOMY)
    assert again.has_losses
    again.commit([report()], now_us=0, tell_losses=True)
    assert not again.has_losses
    assert [event.epoch for event in events(again) if isinstance(event, GapEvent)] == [outbox.epoch]
    again.close()


def test_a_batch_that_the_hub_cannot_read_goes_as_a_loss_of_its_own_reason(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([samples(100), report(200), samples(300)], now_us=0)
    first, second, third = (key for key, _ in everything(outbox))
    assert outbox.lose(first, "unreadable")
    assert outbox.lose(second, "unreadable"), "also an alarm: the hub has it and cannot read it"
    assert not outbox.lose(second, "unreadable")
    assert outbox.floors()[-1].floor == 3
    outbox.close()
    again = Outbox.open(path, max_bytes=ROOMY)
    assert again.has_losses
    again.commit([report()], now_us=9, tell_losses=True)
    (gap,) = (event for event in events(again) if isinstance(event, GapEvent))
    assert (gap.reason, gap.epoch, gap.first_sequence, gap.last_sequence) == (
        "unreadable",
        outbox.epoch,
        1,
        2,
    )
    assert (gap.from_us, gap.to_us) == (100, 200)
    assert again.payload(third) is not None
    again.close()


def test_neighbours_lost_for_other_reasons_are_two_gaps(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([samples(100), samples(200)], now_us=0)
    for (key, _), reason in zip(everything(outbox), ("unreadable", "disk-full"), strict=True):
        assert outbox.lose(key, reason)
    outbox.commit([report()], now_us=9, tell_losses=True)
    told = [(gap.reason, gap.first_sequence) for gap in events(outbox) if isinstance(gap, GapEvent)]
    assert told == [("unreadable", 1), ("disk-full", 2)]
    outbox.close()


def test_a_full_outbox_may_refuse_instead_but_never_an_alarm(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=700, refuses=True)
    outbox.commit([samples(1)], now_us=0, positions={"a": 1})
    outbox.commit([samples(2)], now_us=0, positions={"a": 2})
    with pytest.raises(OutboxFullError, match="its budget is 700"):
        outbox.commit([samples(3)], now_us=0, positions={"a": 3})
    outbox.commit([report()], now_us=0)
    assert (outbox.positions(), outbox.dropped, outbox.backlog.batches) == ({"a": 2}, 0, 3)
    outbox.forget([Marks(epoch=outbox.epoch, mark=3)])
    outbox.commit([samples(3)], now_us=0, positions={"a": 3})
    assert outbox.positions() == {"a": 3}
    outbox.close()


def test_alarms_are_kept_even_where_they_alone_exceed_the_budget(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=300)
    for time_us in range(9):
        outbox.commit([report(time_us)], now_us=0)
    assert outbox.backlog.batches == 9
    outbox.close()


@pytest.mark.parametrize("wound", ["header", "middle", "empty-wal"])
def test_a_damaged_file_is_set_aside_with_its_name(path: Path, wound: str) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.commit([samples(n, size=500) for n in range(40)], now_us=0, positions={"a": 40})
    outbox.close()
    content = bytearray(path.read_bytes())
    if wound == "header":
        content[:100] = b"\xff" * 100
    elif wound == "middle":
        content[4096:20000] = b"\x5a" * (20000 - 4096)
    else:
        content = bytearray(b"not a database, but long enough to look like one" * 99)
    path.write_bytes(content)
    again = Outbox.open(path, max_bytes=ROOMY)
    assert again.damage is not None
    assert again.damage.kept_as == path.with_name("outbox.db.damaged-1")
    assert again.damage.kept_as.read_bytes() == bytes(content)
    assert again.epoch != outbox.epoch
    assert again.backlog.batches == 0
    again.commit([samples()], now_us=0)
    again.close()
    assert Outbox.open(path, max_bytes=ROOMY).damage is None


def test_a_file_of_a_later_version_is_refused_not_destroyed(path: Path) -> None:
    Outbox.open(path, max_bytes=ROOMY).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(OutboxError, match="expected outbox layout 2, got 99"):
        Outbox.open(path, max_bytes=ROOMY)


class OutboxLife(RuleBasedStateMachine):
    """Commits, marks and reopenings in any order: what is held is what was written and not settled."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="andon-"))
        self.path = self.folder / "outbox.db"
        self.outbox = Outbox.open(self.path, max_bytes=ROOMY)
        self.held: set[tuple[int, int]] = set()
        self.upcoming = {self.outbox.epoch: 1}
        self.position = 0

    @rule(batches=st.integers(0, 4))
    def commit(self, batches: int) -> None:
        self.position += 1
        self.outbox.commit([samples(n) for n in range(batches)], now_us=0, positions={"a": self.position})
        epoch = self.outbox.epoch
        self.held |= {(epoch, self.upcoming[epoch] + n) for n in range(batches)}
        self.upcoming[epoch] += batches

    @rule(data=st.data(), mark=st.integers(0, 12), beyond=st.integers(0, 12))
    def forget(self, data: st.DataObject, mark: int, beyond: int) -> None:
        epoch = data.draw(st.sampled_from(sorted(self.upcoming)))
        self.outbox.forget([Marks(epoch=epoch, mark=mark, beyond=((beyond, beyond + 1),))])
        gone = {*range(1, mark + 1), beyond, beyond + 1}
        self.held = {(e, s) for e, s in self.held if e != epoch or s not in gone}

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.outbox = Outbox.open(self.path, max_bytes=ROOMY)
        self.upcoming[self.outbox.epoch] = 1

    @invariant()
    def holds_exactly_what_is_not_settled(self) -> None:
        if hasattr(self, "outbox"):
            found = {(batch.epoch, batch.sequence) for _, batch in everything(self.outbox)}
            assert found == self.held
            assert self.outbox.backlog.batches == len(self.held)
            assert self.outbox.positions().get("a", 0) == self.position
            for item in self.outbox.floors():
                own = [sequence for epoch, sequence in self.held if epoch == item.epoch]
                assert item.floor == min(own, default=self.upcoming[item.epoch])

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
            shutil.rmtree(self.folder)


TestOutboxLife = OutboxLife.TestCase
TestOutboxLife.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
