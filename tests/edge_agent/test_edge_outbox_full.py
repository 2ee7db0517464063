"""A small outbox under any order of commits, marks, log moves and reopenings: held, settled or told."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_agent.draft import Draft
from edge_agent.outbox import Key, Outbox
from edge_agent.outbox_losses import untold
from edge_agent.outbox_writing import ROW_BYTES
from wire.batch import Batch, BatchClass, GapEvent, ReportEvent, Rows, Series
from wire.codec import decode
from wire.messages import Marks

TABLE = b"t" * 32
BUDGET = 6000
REPORT = ReportEvent(time_us=0, use_case="u", directive_sequence=1, state="idle", event="accepted")
CLASSES = st.sampled_from([BatchClass.ALARM, BatchClass.FEATURE, BatchClass.SAMPLE, BatchClass.WAVEFORM])


def draft(batch_class: BatchClass, size: int) -> Draft:
    values = np.random.default_rng(size).normal(size=size)
    times = np.arange(size, dtype=np.int64)
    rows = Rows(machine=0, source="x/1", times=times, values=values.astype(np.float32).reshape(size, 1))
    return Draft(
        batch_class=batch_class,
        table_hash=TABLE,
        series=(Series(signal=0, times=times, values=values),)
        if batch_class is not BatchClass.FEATURE
        else (),
        rows=(rows,) if batch_class is BatchClass.FEATURE else (),
        events=(REPORT,) if batch_class is BatchClass.ALARM else (),
    )


class FullOutboxLife(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="andon-"))
        self.given: dict[tuple[int, int], BatchClass] = {}
        self.settled: set[tuple[int, int]] = set()
        self.told: set[tuple[int, int]] = set()
        self.open()

    def open(self) -> None:
        self.outbox = Outbox.open(self.folder / "outbox.db", max_bytes=BUDGET)

    @rule(what=st.lists(st.tuples(CLASSES, st.integers(1, 150)), max_size=5), tells=st.booleans())
    def commit(self, what: list[tuple[BatchClass, int]], tells: bool) -> None:
        before = self.outbox.newest
        telling = tells and self.outbox.has_losses and bool(what)
        self.outbox.commit([draft(*item) for item in what], now_us=0, tell_losses=tells)
        classes = [*([BatchClass.ALARM] if telling else []), *(batch_class for batch_class, _ in what)]
        for sequence, batch_class in enumerate(classes, before.sequence + 1):
            self.given[self.outbox.epoch, sequence] = batch_class
        assert self.outbox.newest.sequence == before.sequence + len(classes)
        if telling:
            (telling_batch,) = self.outbox.after(before, limit=1, alarms=True)
            gaps = decode(telling_batch.payload).events
            self.told |= {
                (gap.epoch, sequence)
                for gap in gaps
                if isinstance(gap, GapEvent)
                for sequence in range(gap.first_sequence, gap.last_sequence + 1)
            }

    @rule(data=st.data(), mark=st.integers(0, 30), first=st.integers(1, 30), more=st.integers(0, 3))
    def forget(self, data: st.DataObject, mark: int, first: int, more: int) -> None:
        epochs = sorted({epoch for epoch, _ in self.given} | {self.outbox.epoch})
        epoch = data.draw(st.sampled_from(epochs))
        self.outbox.forget([Marks(epoch=epoch, mark=mark, beyond=((first, first + more),))])
        covered = {*range(1, mark + 1), *range(first, first + more + 1)}
        self.settled |= {key for key in self.given if key[0] == epoch and key[1] in covered}

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.open()

    def held(self) -> dict[tuple[int, int], tuple[int, Batch]]:
        queued = [
            q for alarms in (True, False) for q in self.outbox.after(Key(0, 0), limit=9999, alarms=alarms)
        ]
        assert [q.key for q in queued[1:] if q.alarm == queued[0].alarm] == sorted(
            q.key for q in queued[1:] if q.alarm == queued[0].alarm
        )
        batches = [(len(q.payload), decode(q.payload)) for q in queued]
        return {(batch.epoch, batch.sequence): (size, batch) for size, batch in batches}

    def lost(self) -> set[tuple[int, int]]:
        with closing(sqlite3.connect(self.folder / "outbox.db")) as db:
            gaps = untold(db, 0)
        waiting = [(g.epoch, n) for g in gaps for n in range(g.first_sequence, g.last_sequence + 1)]
        assert len(waiting) == len(set(waiting))
        assert self.told.isdisjoint(waiting), "told once"
        assert self.outbox.has_losses == bool(waiting)
        return self.told | set(waiting)

    @invariant()
    def everything_is_held_or_settled_or_told(self) -> None:
        if not hasattr(self, "outbox"):
            return
        held, lost = self.held(), self.lost()
        assert lost.isdisjoint(held)
        assert set(held) == set(self.given) - self.settled - lost
        assert BatchClass.ALARM not in {self.given[key] for key in lost}
        assert all(batch.batch_class is self.given[key] for key, (_, batch) in held.items())

    @invariant()
    def the_budget_is_kept_unless_by_alarms_and_counted_right(self) -> None:
        if not hasattr(self, "outbox"):
            return
        held = self.held()
        spent = sum(size + ROW_BYTES for size, _ in held.values())
        assert (self.outbox.backlog.batches, self.outbox.backlog.bytes) == (len(held), spent)
        only_alarms = {batch.batch_class for _, batch in held.values()} <= {BatchClass.ALARM}
        assert spent <= BUDGET or only_alarms

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
            shutil.rmtree(self.folder)


TestFullOutboxLife = FullOutboxLife.TestCase
TestFullOutboxLife.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
