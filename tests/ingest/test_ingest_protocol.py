"""The commit protocol as a state machine: whatever happens in whatever order, each sample is stored once or explained.

Several boxes may go by one device's name (restored images, clones), several processes store what they send, with
transactions that overlap, die before their commit or wait for each other, and the hub's database may go back to an
older state. The SQL is the real one, on a real PostgreSQL; what is modelled is the device and the network.
"""

import copy
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ingest_world import Process, Sender, add_device, now_us, table_of
from psycopg import sql

from cloud_hub.ingest.births import keep_birth
from cloud_hub.ingest.group import store_group
from cloud_hub.ingest.reading import Arrival, read
from cloud_hub.ingest.settling import settle
from cloud_hub.store.database import Connection, Database
from wire.batch import BatchClass, GapEvent
from wire.clock import Clock, to_datetime, to_us
from wire.messages import EpochFloor, Marks

EXAMPLES = os.environ.get("ANDON_PROTOCOL_EXAMPLES", "")  # more, and others each time
WINDOW = 8
BLOCKED_S = 0.02  # a transaction that takes longer is taken to wait for another one
PATIENCE_S = 20.0
PROCESSES = 3
STEP_US = 120_000_000  # from one sample to the next
NUMBERS = itertools.count(1)
BatchKey = tuple[int, int]  # epoch and sequence


class CrashError(Exception):
    """The process ends before its commit."""


@dataclass
class Box:
    """One outbox: a restored image or a clone is another one with the same name and the same queue."""

    name: str
    epoch: int
    sequence: int = 0
    queue: dict[BatchKey, Arrival] = field(default_factory=dict)
    alarms: set[BatchKey] = field(default_factory=set)
    following: dict[int, int] = field(default_factory=dict)  # the next sequence of each epoch
    newest_us: int = 0

    def open_again(self) -> None:
        """Every opening draws a new epoch; what is queued keeps its old one."""
        self.epoch, self.sequence = next(NUMBERS) << 40 | 1 << 63, 0
        self.following[self.epoch] = 1

    def put(self, batch_class: BatchClass, **parts: Any) -> BatchKey:
        self.sequence += 1
        key = (self.epoch, self.sequence)
        held = [sequence for epoch, sequence in self.queue if epoch == self.epoch]
        sender = Sender(name=self.name, epoch=self.epoch, table=table_of(f"{self.name}-pump"))
        sender.sequence, sender.floor = self.sequence - 1, min([*held, self.sequence])
        batch = (
            sender.samples(**parts)
            if batch_class is BatchClass.SAMPLE
            else sender.batch(batch_class, **parts)
        )
        self.queue[key] = sender.arrival(batch)
        self.following[self.epoch] = self.sequence + 1
        if batch_class is BatchClass.ALARM:
            self.alarms.add(key)
        return key

    def tell_gap(self, **fields: Any) -> None:
        self.put(BatchClass.ALARM, events=(GapEvent(time_us=now_us(), **fields),))

    def apply(self, marks: Marks) -> None:
        for first, last in ((0, marks.mark), *marks.beyond):
            for key in [key for key in self.queue if key[0] == marks.epoch and first <= key[1] <= last]:
                del self.queue[key]

    def floors(self) -> tuple[EpochFloor, ...]:
        """Oldest first; the current one last."""
        floors = []
        for epoch, following in self.following.items():
            held = [sequence for each, sequence in self.queue if each == epoch]
            floors.append(EpochFloor(epoch=epoch, floor=min(held, default=following), next=following))
        return tuple(floors)


class Work(threading.Thread):
    """A transaction in a thread of its own; one of a process is held open before its commit."""

    def __init__(
        self,
        store: Database,
        task: Callable[[Connection], Any],
        done: Callable[[Any], None],
        *,
        process: Process | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.ready = threading.Event()  # all its statements ran
        self.problem: BaseException | None = None
        self._store, self._task, self._done = store, task, done
        self._go = threading.Event()
        self._result: Any = None
        self._crash = False
        if process is None:
            self._go.set()
        self.start()
        self.ready.wait(BLOCKED_S)

    def run(self) -> None:
        try:
            with self._store.transaction() as connection:
                result = self._task(connection)
                self.ready.set()
                self._go.wait()
                if self._crash:
                    raise CrashError
            self._result = result
        except (CrashError, psycopg.errors.DeadlockDetected):
            pass  # nothing was stored
        except BaseException as problem:
            self.problem = problem
        finally:
            self.ready.set()

    def end(self, *, crash: bool) -> None:
        self._crash = crash
        self._go.set()
        self.join(PATIENCE_S)
        assert not self.is_alive(), "a transaction never ends"

    def reap(self) -> None:
        """After its end: what it led to, or its problem."""
        if self.problem is not None:
            raise self.problem
        if self._result is not None:
            self._done(self._result)
        elif self.process is not None:
            self.process.tables.forget()


class Telemetry(RuleBasedStateMachine):
    """One device's name, its boxes, and the hub."""

    store: Database  # set by the test

    @initialize()
    def begin(self) -> None:
        self.name = f"device-{next(NUMBERS)}"
        self.device = add_device(self.store, self.name)
        self.processes = [Process(self.store) for _ in range(PROCESSES)]
        self.works: list[Work] = []
        self.marks: list[Marks] = []  # on their way to the boxes
        self.sent: list[Arrival] = []  # ever; the network may bring any of them again
        self.produced: dict[float, BatchKey] = {}  # by value, each unique
        self.times: dict[float, int] = {}
        self.unknowable: set[BatchKey] = set()
        self.excused: set[BatchKey] = set()  # what a fault took: of these alone, a gap may tell
        self.clock_us = now_us() - 36_000_000_000
        enrolled = {"device": self.device, "enrolled": to_datetime(self.clock_us)}
        self.store.execute("UPDATE device SET enrolled = %(enrolled)s WHERE id = %(device)s", enrolled)
        self.images: list[Box] = []
        self.backup: dict[str, list[dict[str, Any]]] | None = None
        first = Box(name=self.name, epoch=0)
        first.open_again()
        self.boxes = [first]
        self._born(first)
        self._end_all()  # before its first batch the hub has its table

    # ---------------------------------------------------------------- the device

    @rule(box=st.integers(0, 3), count=st.integers(1, 3))
    def write(self, box: int, count: int) -> None:
        at = self._box(box)
        for _ in range(count):
            value = float(next(NUMBERS))
            self.clock_us += STEP_US
            at.newest_us = self.times[value] = self.clock_us
            self.produced[value] = at.put(BatchClass.SAMPLE, values=[value], start=self.clock_us)

    @rule(box=st.integers(0, 3))
    def fill_the_disk(self, box: int) -> None:
        """The oldest samples go, and a gap tells of them."""
        at = self._box(box)
        samples = [key for key in at.queue if key not in at.alarms]
        if samples:
            epoch, sequence = samples[0]
            del at.queue[epoch, sequence]
            self.excused.add((epoch, sequence))
            at.tell_gap(reason="disk-full", epoch=epoch, first_sequence=sequence, last_sequence=sequence)

    @rule(box=st.integers(0, 3))
    def restart(self, box: int) -> None:
        self._box(box).open_again()

    @rule(box=st.integers(0, 3))
    def save_an_image(self, box: int) -> None:
        """Of a device that has read something: of one that has not, nobody could say from when on it is missed."""
        if self._box(box).newest_us:
            self.images.append(copy.deepcopy(self._box(box)))

    @precondition(lambda self: self.images)
    @rule(box=st.integers(0, 3), image=st.integers(0, 9))
    def restore_the_image(self, box: int, image: int) -> None:
        self.excused |= self._box(box).queue.keys()
        if len(self.boxes) > 1:  # it may be another's image
            self.unknowable |= self._box(box).queue.keys()
        self.boxes[box % len(self.boxes)] = self._wake(self.images[image % len(self.images)])

    @precondition(lambda self: len(self.boxes) < 3)
    @rule(box=st.integers(0, 3))
    def start_a_clone(self, box: int) -> None:
        self.boxes.append(self._wake(self._box(box)))

    @rule(box=st.integers(0, 3))
    def wipe_the_disk(self, box: int) -> None:
        """The device itself knows nothing of what it had. Where a clone is heard under its name, nor does the hub."""
        self._end_all()
        self.excused |= self._box(box).queue.keys()
        if len(self.boxes) > 1:
            self.unknowable |= self._box(box).queue.keys()
        fresh = self.boxes[box % len(self.boxes)] = Box(name=self.name, epoch=0)
        fresh.open_again()
        self._born(fresh)
        self._end_all()

    # ---------------------------------------------------------------- network and hub

    @rule(
        box=st.integers(0, 3),
        process=st.integers(0, PROCESSES - 1),
        order=st.permutations(range(WINDOW)),
        most=st.integers(1, WINDOW),
        at_once=st.booleans(),
    )
    def deliver(self, box: int, process: int, order: list[int], most: int, at_once: bool) -> None:
        ready = list(self._box(box).queue.values())[:WINDOW]
        self._store([ready[place] for place in order if place < len(ready)][:most], process)
        if at_once:
            self._end_all()

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 60), process=st.integers(0, PROCESSES - 1))
    def deliver_what_was_sent_long_ago(self, which: int, process: int) -> None:
        self._store([self.sent[which % len(self.sent)]], process)

    @rule(which=st.integers(0, 9), crash=st.booleans())
    def end_a_transaction(self, which: int, crash: bool) -> None:
        """Where several processes have one open, any of them; one that waits for another cannot end yet."""
        ready = [work for work in self.works if work.ready.is_set()]
        if ready:
            ready[which % len(ready)].end(crash=crash)
            self._reap()

    @rule(box=st.integers(0, 3), lost=st.booleans())
    def hear_the_marks(self, box: int, lost: bool) -> None:
        """Whoever is connected under the name hears them."""
        for marks in [] if lost else self.marks:
            self._box(box).apply(marks)
        self.marks.clear()

    @rule(box=st.integers(0, 3))
    def say_a_birth(self, box: int) -> None:
        self._born(self._box(box))

    @rule()
    def back_up_the_database(self) -> None:
        self._end_all()
        with self.store.transaction() as connection:
            self.backup = {
                table: connection.execute(_mine(table, "SELECT *"), {"device": self.device}).fetchall()
                for table in TABLES
            }
        self.backup_us = self.clock_us

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore_the_database(self) -> None:
        """Everything since is forgotten, which `andon hub restored` says; every device is asked for its birth."""
        self._end_all()
        assert self.backup is not None
        self.marks.clear()  # those messages wait nowhere
        held = set().union(*(box.queue for box in self.boxes))
        self.excused |= set(self.produced.values()) - held
        with self.store.transaction() as connection:
            for table in reversed(TABLES):
                connection.execute(_mine(table, "DELETE"), {"device": self.device})
            for table in TABLES:
                for row in self.backup[table]:
                    connection.execute(_insert(table, row), row)
            times = {"since": to_datetime(self.backup_us), "now": to_datetime(self.clock_us)}
            connection.execute(_RESTORED, {"device": self.device, **times})
        self.processes = [Process(self.store) for _ in range(PROCESSES)]
        for box in self.boxes:
            self._born(box)
        self._end_all()

    # ---------------------------------------------------------------- the end

    def teardown(self) -> None:
        if not hasattr(self, "boxes"):
            return
        self._end_all()
        for box in self.boxes:
            self._drain(box)
        for box in self.boxes:
            self._born(box)
            self._end_all()
        self._check()

    def _drain(self, box: Box) -> None:
        """The network heals: what is left is sent until the hub has it."""
        for _ in range(200):
            if not box.queue:
                return
            self._store(list(box.queue.values())[:WINDOW], 0)
            self._end_all()
            for marks in self.marks:
                box.apply(marks)
            self.marks.clear()
        pytest.fail("the device waits for ever")

    def _check(self) -> None:
        of = {"device": self.device}
        stored = Counter(row["value"] for row in self.store.rows(_STORED, of))
        gaps = self.store.rows("SELECT * FROM gap WHERE device = %(device)s", of)
        missing = {
            (row["epoch"] % 2**64, at)
            for row in gaps
            if row["epoch"] is not None
            for at in range(row["first_sequence"], row["last_sequence"] + 1)
        }
        spans = [(to_us(row["from_time"]), to_us(row["to_time"])) for row in gaps if row["epoch"] is None]
        for value, key in self.produced.items():
            explained = key in missing or any(a <= self.times[value] <= b for a, b in spans)
            assert stored[value] <= 1, f"{key} doubled: stored {stored[value]} times"
            assert stored[value] or key in self.excused, f"{key} lost, and no fault took it"
            assert stored[value] or explained or key in self.unknowable, f"{key} neither stored nor in a gap"
            assert not (stored[value] and key in missing), f"{key} is stored and in a gap"
        refused = self.store.rows("SELECT reason FROM quarantine WHERE device = %(device)s", of)
        assert not refused, f"quarantined: {refused}"

    # ---------------------------------------------------------------- parts

    def _box(self, number: int) -> Box:
        return self.boxes[number % len(self.boxes)]

    def _wake(self, image: Box) -> Box:
        """A copy of an image opens its outbox; what its source said meanwhile is a gap, for it is a live one."""
        box = copy.deepcopy(image)
        box.open_again()
        if box.newest_us:
            box.tell_gap(reason="agent-down", from_us=box.newest_us, to_us=self.clock_us)
        self._born(box)
        return box

    def _store(self, arrivals: list[Arrival], number: int) -> None:
        process = self.processes[number]
        if not arrivals or any(work.process is process for work in self.works):
            return  # it has one transaction at a time
        self.sent += arrivals

        def task(connection: Connection) -> Any:
            readings = [read(each) for each in arrivals]
            return store_group(connection, readings, process.tables, process.times())

        self._begin(task, lambda outcome: self._settle(dict(outcome.told)), process=process)

    def _settle(self, told: dict[Any, Any], tell: set[int] | None = None) -> None:
        def done(settled: Any) -> None:
            self.marks += [each.marks for each in settled if tell is None or each.marks.epoch in tell]

        self._begin(lambda connection: settle(connection, told, Clock.real().now()), done)

    def _born(self, box: Box) -> None:
        sender = Sender(name=self.name, epoch=box.epoch, table=table_of(f"{self.name}-pump"))
        birth = sender.birth(epochs=box.floors())
        self._begin(
            lambda connection: keep_birth(connection, self.device, birth, Clock.real().now()),
            lambda born: self._settle(born.told, {item.epoch for item in birth.epochs}),
        )

    def _begin(self, task: Any, done: Any, *, process: Process | None = None) -> None:
        self.works.append(Work(self.store, task, done, process=process))
        self._reap()

    def _reap(self) -> None:
        ended = [work for work in self.works if not work.is_alive()]
        self.works = [work for work in self.works if work.is_alive()]
        for work in ended:
            work.reap()

    def _end_all(self) -> None:
        """Commit what is open, in an order in which PostgreSQL lets it end."""
        deadline = time.monotonic() + PATIENCE_S
        while self.works:
            for work in [work for work in self.works if work.ready.wait(BLOCKED_S)][:1]:
                work.end(crash=False)
            self._reap()
            assert time.monotonic() < deadline, "transactions wait for each other for ever"


TABLES = ("mark", "ledger", "gap", "sample", "latest")
_OF_DEVICE = "signal IN (SELECT signal.id FROM signal JOIN machine ON machine.id = signal.machine WHERE machine.device = %(device)s)"
_RESTORED = (
    "INSERT INTO gap (device, from_time, to_time, reason, noted)"
    " VALUES (%(device)s, %(since)s, %(now)s, 'hub-restored', %(now)s)"
)
_STORED = f"SELECT value FROM sample WHERE {_OF_DEVICE}"


def _mine(table: str, what: str) -> str:
    return (
        f"{what} FROM {table} WHERE {_OF_DEVICE if table in ('sample', 'latest') else 'device = %(device)s'}"
    )


def _insert(table: str, row: dict[str, Any]) -> sql.Composed:
    names = [name for name in row if not (table == "gap" and name == "id")]
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )


@pytest.fixture(scope="module")
def store(database_url: str, migrated_template: str) -> Iterator[Database]:
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE protocol_model TEMPLATE {migrated_template}")
        with Database(database_url.replace("@/andon?", "@/protocol_model?"), most=PROCESSES + 6) as opened:
            yield opened
        with suppress(psycopg.Error):
            server.execute("DROP DATABASE protocol_model WITH (FORCE)")


def test_every_sample_is_stored_once_or_explained(store: Database) -> None:
    Telemetry.store = store
    run_state_machine_as_test(
        Telemetry,
        settings=settings(
            max_examples=int(EXAMPLES or 40),
            derandomize=not EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
