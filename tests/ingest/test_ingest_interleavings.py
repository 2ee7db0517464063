"""Any order of deliveries, repeats, crashes and lost marks ends with each batch stored once, or in a gap."""

import itertools
from collections import Counter
from collections.abc import Iterator
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_world import Process, Sender, add_device, now_us, table_of

from cloud_hub.ingest.group import store_group
from cloud_hub.ingest.ranges import Range, advance, merged, without
from cloud_hub.ingest.reading import Arrival, read
from cloud_hub.ingest.settling import Told
from cloud_hub.store.database import Database
from wire.batch import BatchClass, GapEvent
from wire.messages import EpochFloor, Marks

WINDOW = 6
NUMBERS = itertools.count(1)


class CrashError(Exception):
    """The process ends before its commit."""


class Device:
    """The device's half: an outbox, a window of batches under way, marks applied as a union."""

    def __init__(self, name: str) -> None:
        self.sender = Sender(name=name, epoch=next(NUMBERS) << 40 | 1 << 63, table=table_of(f"{name}-pump"))
        self.outbox: dict[tuple[int, int], Arrival] = {}
        self.produced: dict[tuple[int, int], float] = {}  # (epoch, sequence) -> its one value
        self.alarms: set[tuple[int, int]] = set()
        self.dropped: list[tuple[int, int]] = []

    def write(self) -> None:
        value = float(next(NUMBERS))
        self._put(self.sender.samples([value], start=now_us() - 10_000_000), value)

    def drop_oldest(self) -> None:
        """The disk is full: the oldest samples go, and a gap tells of them."""
        samples = [key for key in self.outbox if key not in self.alarms]
        if samples:
            key = min(samples, key=lambda item: item[1])
            del self.outbox[key]
            self.dropped.append(key)
            gap = GapEvent(
                time_us=now_us(),
                reason="disk-full",
                epoch=key[0],
                first_sequence=key[1],
                last_sequence=key[1],
            )
            self.alarms.add((self.sender.epoch, self.sender.sequence + 1))
            self._put(self.sender.batch(BatchClass.ALARM, events=(gap,)), None)

    def restart(self) -> None:
        """Open the outbox again: a new epoch; what is queued keeps its old one."""
        self.sender.epoch = next(NUMBERS) << 40 | 1 << 63
        self.sender.sequence = 0

    def floors(self) -> tuple[EpochFloor, ...]:
        epochs = {epoch for epoch, _ in [*self.produced, *self.alarms]}
        return tuple(
            EpochFloor(epoch=each, floor=self._floor(each), next=self._next(each)) for each in epochs
        )

    def apply(self, marks: Marks) -> None:
        for first, last in ((0, marks.mark), *marks.beyond):
            for key in [key for key in self.outbox if key[0] == marks.epoch and first <= key[1] <= last]:
                del self.outbox[key]

    def under_way(self) -> list[Arrival]:
        return list(self.outbox.values())[:WINDOW]

    def _put(self, batch, value: float | None) -> None:
        key = (batch.epoch, batch.sequence)
        self.sender.floor = self._floor(batch.epoch) or batch.sequence
        self.outbox[key] = self.sender.arrival(batch)
        if value is not None:
            self.produced[key] = value

    def _floor(self, epoch: int) -> int:
        held = [sequence for each, sequence in self.outbox if each == epoch]
        return min(held, default=self._next(epoch))

    def _next(self, epoch: int) -> int:
        return (
            max((sequence for each, sequence in [*self.produced, *self.alarms] if each == epoch), default=0)
            + 1
        )


class Hub:
    """Two processes on one database, whose deliveries overlap as the steps say."""

    def __init__(self, store: Database) -> None:
        self.store = store
        self.processes = (Process(store), Process(store))

    def deliver(
        self, device: Device, arrivals: list[Arrival], *, which: int, crash: bool, marks: bool
    ) -> None:
        process = self.processes[which]
        try:
            with self.store.transaction() as connection:
                outcome = store_group(
                    connection, [read(each) for each in arrivals], process.tables, process.times()
                )
                if crash:
                    raise CrashError
        except CrashError:
            process.tables.forget()
            return
        settled = process.settle(dict(outcome.told))
        for each in settled if marks else ():
            device.apply(each.marks)

    def deliver_twice_at_once(self, device: Device, arrivals: list[Arrival]) -> None:
        threads = [
            Thread(
                target=self.deliver,
                args=(device, order),
                kwargs={"which": which, "crash": False, "marks": False},
            )
            for which, order in enumerate((arrivals, arrivals[::-1]))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def hub(database_url: str, migrated_template: str) -> Iterator[Hub]:
    import psycopg

    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE interleavings TEMPLATE {migrated_template}")
        with Database(database_url.replace("@/andon?", "@/interleavings?"), most=6) as store:
            yield Hub(store)
        server.execute("DROP DATABASE interleavings WITH (FORCE)")


steps = st.lists(
    st.one_of(
        st.just(("write",)),
        st.just(("write",)),
        st.tuples(st.just("deliver"), st.permutations(range(WINDOW)), st.integers(1, WINDOW), st.integers(0, 1), st.booleans(), st.booleans()),
        st.tuples(st.just("old"), st.integers(0, 30), st.integers(0, 1)),
        st.just(("both",)),
        st.just(("drop",)),
        st.just(("restart",)),
        st.just(("birth",)),
    ),
    min_size=5,
    max_size=25,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_every_batch_is_stored_once_or_in_a_gap(hub: Hub, todo) -> None:
    device = Device(f"device-{next(NUMBERS)}")
    number = add_device(hub.store, device.sender.name)
    hub.processes[0].born(device.sender)
    ever: list[Arrival] = []
    for step in todo:
        ever += [each for each in device.under_way() if each not in ever]
        match step:
            case ("write",):
                device.write()
            case ("deliver", order, most, which, crash, marks):
                ready = device.under_way()
                chosen = [ready[place] for place in order if place < len(ready)][:most]
                hub.deliver(device, chosen, which=which, crash=crash, marks=marks)
            case ("old", place, which) if ever:  # something sent long ago comes out of a slow network
                hub.deliver(device, [ever[place % len(ever)]], which=which, crash=False, marks=True)
            case ("both",):
                hub.deliver_twice_at_once(device, device.under_way())
            case ("drop",):
                device.drop_oldest()
            case ("restart",):
                device.restart()
            case ("birth",):
                hub.processes[1].born(device.sender, device.sender.birth(epochs=device.floors()))
    drain(hub, device)
    check(hub, device, number)


def drain(hub: Hub, device: Device) -> None:
    """The network heals: what is left is sent until the hub has it."""
    for _ in range(200):
        if not device.outbox:
            break
        hub.deliver(device, device.under_way(), which=0, crash=False, marks=True)
    assert not device.outbox, "the device waits for ever"
    hub.processes[0].born(device.sender, device.sender.birth(epochs=device.floors()))


def check(hub: Hub, device: Device, number: int) -> None:
    rows = hub.store.rows(
        "SELECT value FROM sample JOIN signal ON signal.id = sample.signal JOIN machine ON machine.id = signal.machine"
        " WHERE machine.device = %(device)s",
        {"device": number},
    )
    stored = Counter(row["value"] for row in rows)
    gaps = hub.store.rows(
        "SELECT epoch, first_sequence AS a, last_sequence AS b FROM gap WHERE device = %(device)s",
        {"device": number},
    )
    missing = Counter((row["epoch"] % 2**64, at) for row in gaps for at in range(row["a"], row["b"] + 1))
    for key, value in device.produced.items():
        assert stored[value] + missing[key] == 1, f"{key}: stored {stored[value]}, in gaps {missing[key]}"
        assert key in device.dropped or stored[value] == 1
    marks = hub.store.rows("SELECT epoch, mark FROM mark WHERE device = %(device)s", {"device": number})
    told = {row["epoch"] % 2**64: row["mark"] for row in marks}
    assert all(sequence <= told[epoch] for epoch, sequence in device.produced)
    assert not hub.store.rows("SELECT 1 FROM quarantine WHERE device = %(device)s", {"device": number})


def test_no_mark_passes_over_a_batch_that_is_being_stored(hub: Hub) -> None:
    device = Device(f"device-{next(NUMBERS)}")
    number = add_device(hub.store, device.sender.name)
    hub.processes[0].born(device.sender)
    device.write()
    hub.deliver(device, device.under_way(), which=0, crash=False, marks=True)
    device.write()
    (arrival,) = device.under_way()
    process = hub.processes[0]
    stream = (number, device.sender.epoch - 2**64)
    mover = Thread(target=hub.processes[1].settle, args=({stream: Told(floor=4)},))
    with hub.store.transaction() as connection:
        store_group(connection, [read(arrival)], process.tables, process.times())
        mover.start()
        mover.join(0.3)
        assert mover.is_alive()  # it waits for the commit
    mover.join()
    of = {"device": number}
    gaps = hub.store.rows(
        "SELECT first_sequence AS a, last_sequence AS b FROM gap WHERE device = %(device)s", of
    )
    assert [(row["a"], row["b"]) for row in gaps] == [(3, 3)]
    check(hub, device, number)


ranges = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 10)).map(lambda pair: (pair[0], sum(pair))), max_size=12
)


def members(spans: list[Range] | tuple[Range, ...]) -> set[int]:
    return {at for first, last in spans for at in range(first, last + 1)}


@given(ranges, st.integers(0, 40), st.integers(0, 60))
def test_a_mark_passes_over_what_is_settled_and_over_nothing_else(settled, mark, floor) -> None:
    step = advance(mark, floor, settled)
    known = members(settled) | set(range(1, mark + 1))
    lost = set(range(1, floor)) - known
    assert members(step.lost) == lost
    assert set(range(1, step.mark + 1)) <= known | lost
    assert step.mark + 1 not in known | lost
    assert members(step.beyond) == {at for at in known | lost if at > step.mark}


@given(ranges, st.tuples(st.integers(1, 40), st.integers(0, 40)))
def test_ranges_merge_and_subtract_like_sets(taken, whole) -> None:
    span = (whole[0], sum(whole))
    assert members(merged(taken)) == members(taken)
    assert members(without(span, taken)) == members([span]) - members(taken)
