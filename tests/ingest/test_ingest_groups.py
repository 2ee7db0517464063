"""How messages become transactions: large under a backlog, soon in a trickle, bounded in memory, in order."""

import threading
import time
from queue import Empty, SimpleQueue

import numpy as np
import pytest
from ingest_world import STORE, Process, Sender, add_device, table_of
from paho.mqtt.client import MQTTMessage

from cloud_hub.ingest import arrays
from cloud_hub.ingest.collector import MOST_BYTES, MOST_ROWS, Announced, Collector, Group
from cloud_hub.ingest.consumer import BrokerAddress, Consumer
from cloud_hub.ingest.copying import samples
from cloud_hub.ingest.desk import TRIES, Desk
from cloud_hub.ingest.group import store_group
from cloud_hub.ingest.reading import Arrival, read
from cloud_hub.ingest.tables import Tables
from cloud_hub.ingest.writing import newest
from cloud_hub.store.database import Database
from wire.clock import Clock
from wire.messages import Marks
from wire.topics import Channel, Topic


class Inbox:
    """What a consumer would hand out."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[Arrival] = SimpleQueue()

    def take(self, timeout_s: float) -> Arrival | None:
        try:
            return self.queue.get(timeout=timeout_s)
        except Empty:
            return None


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def collector(inbox):
    made = Collector(inbox.take)
    made.start()
    yield made
    made.stop()


def until_taken(inbox: Inbox) -> None:
    while not inbox.queue.empty():
        time.sleep(0.01)


def test_a_single_message_goes_soon(inbox: Inbox, collector: Collector) -> None:
    sender = Sender()
    inbox.queue.put(sender.arrival(sender.samples([1.0])))
    group = collector.next(5.0)
    assert isinstance(group, Group)
    assert len(group.readings) == 1
    assert collector.next(0.0) is None


def test_while_nobody_takes_them_groups_grow_to_their_limit_and_then_wait(
    inbox: Inbox, collector: Collector
) -> None:
    sender = Sender()
    message = sender.arrival(sender.samples([1.0] * 1000))
    for _ in range(350):
        inbox.queue.put(message)
    time.sleep(1.0)
    assert inbox.queue.qsize() > 100, "more was decoded than may wait"
    sizes = []
    while isinstance(group := collector.next(1.0), Group):
        sizes.append(group.rows)
    assert (max(sizes), sum(sizes)) == (MOST_ROWS, 350_000)


def test_what_is_refused_fills_a_group_by_its_bytes(inbox: Inbox, collector: Collector) -> None:
    noise = Arrival(topic="andon/v1/press-01/batch", payload=bytes(1 << 20), received_us=0)
    for _ in range(20):
        inbox.queue.put(noise)
    held = []
    while isinstance(group := collector.next(1.0), Group):
        held.append(group.bytes)
    assert (sum(held), max(held) <= MOST_BYTES) == (20 << 20, True)


def test_a_birth_stays_behind_what_came_before_it(inbox: Inbox, collector: Collector) -> None:
    sender = Sender()
    birth = sender.arrival(sender.birth().to_json(), Channel.BIRTH)
    inbox.queue.put(sender.arrival(sender.samples([1.0])))
    inbox.queue.put(birth)
    inbox.queue.put(sender.arrival(sender.samples([2.0])))
    first, second, third = (collector.next(5.0) for _ in range(3))
    assert isinstance(first, Group)
    assert isinstance(second, Announced)
    assert second.arrivals == [birth]
    assert isinstance(third, Group)


def test_what_breaks_the_collector_ends_the_service() -> None:
    def broken(timeout_s: float) -> None:
        raise MemoryError("nothing left")

    collector = Collector(broken)
    collector.start()
    with pytest.raises(MemoryError, match="nothing left"):
        collector.next(5.0)
    collector.stop()


def test_above_its_bytes_the_consumer_reads_no_more_until_something_is_settled() -> None:
    address = BrokerAddress(host="localhost", port=1, tls=None)
    consumer = Consumer(address, Clock.real(), held_bytes=1000)
    message = MQTTMessage(1, b"andon/v1/press-01/batch")
    message.payload = bytes(600)

    def receive() -> None:
        for _ in range(4):
            consumer._on_message(consumer._client, None, message)

    network = threading.Thread(target=receive, daemon=True)
    network.start()
    network.join(0.3)
    assert (network.is_alive(), consumer.held_bytes) == (True, 1200)
    for _ in range(4):
        arrival = consumer.take(5.0)
        assert arrival is not None
        consumer.acknowledge([arrival])
    network.join(5.0)
    assert (network.is_alive(), consumer.held_bytes) == (False, 0)


def test_rows_are_the_same_in_however_many_blocks() -> None:
    rng = np.random.default_rng(3)
    times, signals, values = np.arange(20_001), rng.integers(0, 9, 20_001, np.int32), rng.normal(size=20_001)
    whole = b"".join(bytes(block) for block in samples(times, signals, values))
    apart = b"".join(
        bytes(block)
        for at in range(0, 20_001, 997)
        for block in samples(times[at : at + 997], signals[at : at + 997], values[at : at + 997])
    )
    assert whole == apart
    assert len(whole) == 34 * 20_001


def test_the_newest_of_each_signal_is_found_in_any_order() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        length = int(rng.integers(1, 40))
        times, signals = rng.integers(0, 9, length), rng.integers(0, 4, length).astype(np.int32)
        expected = {}
        for place, (signal, time_us) in enumerate(zip(signals.tolist(), times.tolist(), strict=True)):
            if signal not in expected or times[expected[signal]] <= time_us:
                expected[signal] = place
        assert newest(signals, times).tolist() == [expected[signal] for signal in sorted(expected)]


def test_array_literals_keep_every_digit_and_byte() -> None:
    assert (
        arrays.numbers([-(1 << 63), 0.1 + 0.2, 1e-320]) == "{-9223372036854775808,0.30000000000000004,1e-320}"
    )
    assert arrays.octets([b"\x00\xff", b""]) == '{"\\\\x00ff","\\\\x"}'


# ---------------------------------------------------------------- marks that are owed


class Notes:
    """What a desk asks of a publisher."""

    def __init__(self) -> None:
        self.marks: list[Marks] = []

    def publish(self, topic: Topic, payload: bytes, *, qos: int) -> None:
        self.marks.append(Marks.from_json(payload))


def test_marks_that_another_process_holds_are_left_for_later_and_not_for_ever(database: str) -> None:
    with Database(database, most=3) as store:
        first, second = Sender(name="press-01"), Sender(name="press-02", epoch=2, table=table_of("pump-2"))
        process, notes = Process(store), Notes()
        for sender in (first, second):
            add_device(store, sender.name)
            process.born(sender)
        desk = Desk(store, notes, STORE, Clock.real())
        outcome = process.store(*(sender.arrival(sender.samples([1.0])) for sender in (first, second)))
        held = read(first.arrival(first.samples([2.0])))
        with store.transaction() as other:
            store_group(other, [held], Tables(), process.times())
            desk.owe_marks(outcome.told)
            desk.pay_marks(at_once=True)
            assert [marks.epoch for marks in notes.marks] == [second.epoch], "the free one"
            for _ in range(TRIES - 1):
                desk.pay_marks(at_once=True)
            assert len(notes.marks) == 1
            waiting = threading.Thread(target=desk.pay_marks, kwargs={"at_once": True})
            waiting.start()
            waiting.join(0.3)
            assert waiting.is_alive(), "long enough: now it is waited for"
        waiting.join(10.0)
        assert [(marks.epoch, marks.mark) for marks in notes.marks[1:]] == [(first.epoch, 2)]
        desk.pay_marks(at_once=True)
        assert len(notes.marks) == 2, "nothing is owed any more"
