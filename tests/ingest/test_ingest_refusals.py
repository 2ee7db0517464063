"""Each thing that can be wrong with what a device sends has its own name, and costs nothing but itself."""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import zstandard
from ingest_world import Process, Sender, add_device, count, mark_of, now_us, reasons

from cloud_hub.config import StoreSettings
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.ingest.group import Outcome
from cloud_hub.ingest.news import MOST_HASHES, News
from cloud_hub.ingest.reading import Arrival, read
from cloud_hub.ingest.replays import replay_next
from cloud_hub.store import facts, fleet, quarantine
from cloud_hub.store import reasons as names
from cloud_hub.store.database import Database
from wire import errors
from wire.batch import Batch, BatchClass, GapEvent, Series
from wire.clock import Clock
from wire.codec import Limits, decode, encode
from wire.errors import MessageError
from wire.messages import Command
from wire.topics import Channel, Topic

DAY_US = 86_400_000_000


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=3) as opened:
        yield opened


@pytest.fixture
def process(store: Database) -> Process:
    return Process(store)


@pytest.fixture
def sender(store: Database, process: Process) -> Sender:
    add_device(store, "press-01")
    made = Sender()
    process.born(made)
    return made


def body_of(payload: bytes) -> tuple[bytes, bytes]:
    """Everything before the packed body, and the body."""
    length = struct.unpack_from("<4sBH", payload)[2]
    return payload[: 7 + length], payload[7 + length :]


def zip_bomb(payload: bytes) -> bytes:
    """A body of some kilobytes that unpacks to far more than a batch may be."""
    head, _ = body_of(payload)
    return head + zstandard.ZstdCompressor(level=1).compress(bytes(256 << 20))


def bomb_of_claims(payload: bytes) -> bytes:
    """The same, where only the frame's header says so: four gigabytes."""
    head, _ = body_of(payload)
    return head + b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", 4 << 30) + bytes(20_000)


def wrong_schema(payload: bytes) -> bytes:
    return payload[:4] + b"\x63" + payload[5:]


def damaged(payload: bytes) -> bytes:
    head, body = body_of(payload)
    return head + body[: len(body) // 2]


DAMAGE = {
    "zip bomb": (zip_bomb, "TooLarge"),
    "claims four gigabytes": (bomb_of_claims, "TooLarge"),
    "unknown schema": (wrong_schema, "UnknownSchema"),
    "cut short": (damaged, "Truncated"),
    "two in one": (lambda payload: payload + payload, "TrailingData"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_batch_whose_header_can_be_read_is_settled_whatever_became_of_the_rest(
    store: Database, process: Process, sender: Sender, kind: str
) -> None:
    damage, reason = DAMAGE[kind]
    poison = sender.arrival(damage(encode(sender.samples([1.0] * 50))))
    good = sender.arrival(sender.samples([2.0]))
    process.take(poison, good)
    process.take(poison)
    assert reasons(store) == {reason: 1}
    assert (count(store, "sample"), mark_of(store)) == (1, 2)


def test_a_payload_above_the_limit_is_settled_and_kept_by_hash_and_head(
    store: Database, process: Process, sender: Sender
) -> None:
    noise = np.random.default_rng(1).normal(size=600_000)
    message = sender.arrival(sender.samples(noise))
    assert len(message.payload) > Limits().payload_bytes
    process.take(message, sender.arrival(sender.samples([2.0])))
    (kept,) = quarantine.quarantined(store)
    assert (kept.reason, kept.bytes, mark_of(store)) == ("TooLarge", len(message.payload), 2)
    assert quarantine.payload(store, kept.id) == message.payload[: 64 << 10]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_the_infinities_are_refused_and_not_their_neighbours(
    store: Database, process: Process, sender: Sender, value: float
) -> None:
    bad = sender.samples([1.0, value], sequence=1).series[0]
    good = sender.samples([3.0, 4.0], sequence=1, signal=1).series[0]
    process.take(sender.arrival(sender.batch(sequence=1, series=(bad, good))))
    assert (count(store, "sample"), reasons(store)) == (2, {"NotFinite": 1})


@pytest.mark.parametrize(
    ("shift_us", "reason"), [(-7 * DAY_US - 120_000_000, "TooLate"), (600_000_000, "FromTheFuture")]
)
def test_times_outside_the_horizon_are_refused_by_name(
    store: Database, process: Process, sender: Sender, shift_us: int, reason: str
) -> None:
    process.take(sender.arrival(sender.samples([1.0, 2.0], start=now_us() + shift_us)))
    process.take(sender.arrival(sender.samples([1.0, 2.0])))
    assert (count(store, "sample"), reasons(store), mark_of(store)) == (2, {reason: 1}, 2)


def test_times_at_both_ends_of_the_horizon_are_accepted(
    store: Database, process: Process, sender: Sender
) -> None:
    for shift_us in (-7 * DAY_US + 60_000_000, 240_000_000):
        process.take(sender.arrival(sender.samples([1.0], start=now_us() + shift_us)))
    assert (count(store, "sample"), reasons(store)) == (2, {})


@pytest.mark.parametrize(
    "topic", ["andon/v1/Press 01/batch", "andon/v1/press-01", "other/press-01/batch", "\0"]
)
def test_a_topic_that_is_none_of_ours_is_kept_once(
    store: Database, process: Process, sender: Sender, topic: str
) -> None:
    stray = Arrival(topic=topic, payload=encode(sender.samples([1.0])), received_us=0)
    process.take(stray)
    process.take(stray)
    assert (count(store, "sample"), reasons(store)) == (0, {"Topic": 1})


def test_a_signal_twice_in_one_batch_is_stored_as_it_was_sent(
    store: Database, process: Process, sender: Sender
) -> None:
    """Two readings of one moment are two readings; what makes a batch count once is its sequence."""
    once = sender.samples([1.0, 2.0], sequence=1).series[0]
    message = sender.arrival(sender.batch(sequence=1, series=(once, once)))
    process.take(message, message)
    assert count(store, "sample") == 4


def test_every_name_of_a_damaged_message_is_explained() -> None:
    kinds = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, MessageError)
    ]
    for kind in kinds:
        reason = kind.__name__.removesuffix("Error")
        assert names.explain(reason) != f"Refused as {reason}.", reason


def test_reading_never_raises_whatever_comes(sender: Sender) -> None:
    whole = encode(sender.samples([1.0, 2.0, 3.0]))
    rng = np.random.default_rng(7)
    for _ in range(500):
        damaged_bytes = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 6)):
            damaged_bytes[place] = rng.integers(0, 256)
        reading = read(sender.arrival(bytes(damaged_bytes[: rng.integers(0, len(whole) + 1)])))
        assert (reading.batch is None) == bool(reading.reason)


# ---------------------------------------------------------------- bytes that nobody can read


def unreadable(sender: Sender, **how) -> Arrival:
    return sender.arrival(b"x" + encode(sender.samples([1.0] * 9, **how))[1:])


def test_what_nobody_can_read_is_kept_once_and_named_to_its_device_by_its_hash(
    store: Database, process: Process, sender: Sender
) -> None:
    poison = unreadable(sender)
    for _ in range(2):
        outcome = process.store(poison, poison)
        assert outcome.unreadable == {("press-01", hashlib.sha256(poison.payload).digest())}
    (kept,) = quarantine.quarantined(store)
    assert (kept.reason, kept.times, quarantine.payload(store, kept.id)) == ("NotABatch", 4, poison.payload)


def test_nothing_is_guessed_however_often_it_comes(store: Database, process: Process, sender: Sender) -> None:
    """The batch that is missing may be another one, and good."""
    held_up = sender.arrival(sender.samples([7.0, 8.0]))  # 1, under way for very long
    process.take(sender.arrival(sender.samples([1.0])))
    for _ in range(20):
        process.take(sender.arrival(b"none of its batches"))
    assert (mark_of(store), facts.facts(store).missing) == (0, {})
    process.take(held_up)
    assert (mark_of(store), count(store, "sample")) == (2, 3)


def test_the_gap_its_device_tells_settles_what_nobody_can_read(
    store: Database, process: Process, sender: Sender
) -> None:
    process.take(unreadable(sender))  # this is 1
    gap = GapEvent(time_us=1, reason="unreadable", epoch=sender.epoch, first_sequence=1, last_sequence=1)
    sender.floor = 2
    process.take(sender.arrival(sender.samples([1.0])))  # 2; its floor already says that 1 is gone
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(gap,))))
    assert (mark_of(store), facts.facts(store).missing) == (3, {"unreadable": 1})


def test_only_batches_and_only_devices_in_service_are_told(
    store: Database, process: Process, sender: Sender
) -> None:
    stranger = Sender(name="press-99")
    birth = sender.arrival(b"no birth", Channel.BIRTH)
    outcome = process.store(unreadable(stranger), birth)
    assert outcome.unreadable == frozenset()
    assert reasons(store) == {"UnknownDevice": 1, "NotABatch": 1}


def test_a_device_is_told_of_many_at_once_and_not_all_the_time(sender: Sender) -> None:
    said: list[tuple[Topic, Command]] = []

    class Notes:
        def publish(self, topic: Topic, payload: bytes, *, qos: int) -> None:
            said.append((topic, Command.from_json(payload)))

    news = News(Notes())
    hashes = {("press-01", bytes([number]) * 32) for number in range(40)}
    for _ in range(3):
        news.note(Outcome(told={}, unreadable=frozenset(hashes), rebirths=frozenset({"press-01"})))
    kinds = [command.kind for _, command in said]
    assert (kinds.count("rebirth"), kinds.count("unreadable")) == (1, MOST_HASHES)
    told = {command.arguments["sha256"] for _, command in said if command.kind == "unreadable"}
    assert told < {sha256.hex() for _, sha256 in hashes}
    assert {str(topic) for topic, _ in said} == {"andon/v1/press-01/command"}


# ---------------------------------------------------------------- looking, trying again, forgetting


def test_what_another_batch_came_before_is_not_replayed_for_it_might_count_twice(
    store: Database, process: Process, sender: Sender
) -> None:
    process.take(sender.arrival(sender.samples([1.0])))
    sender.floor = 5
    clone = sender.arrival(sender.samples([2.0], sequence=5))
    process.take(clone)
    other = sender.arrival(sender.samples([3.0], sequence=5))
    process.store(other)
    store.execute("UPDATE quarantine SET replay = received")
    with store.transaction() as connection:
        replay_next(connection, process.tables, process.times())
    assert count(store, "sample") == 2


def test_asking_for_a_reused_sequence_says_why_not(store: Database, process: Process, sender: Sender) -> None:
    process.store(sender.arrival(sender.samples([1.0])))
    process.store(sender.arrival(sender.samples([2.0], sequence=1)))
    (kept,) = quarantine.quarantined(store)
    with pytest.raises(ConflictError, match="may have been counted"):
        quarantine.ask_replay(store, kept.id, now=Clock.real().now())


def test_quarantine_is_told_by_reason_with_what_to_do(
    store: Database, process: Process, sender: Sender
) -> None:
    process.take(*(sender.arrival(f"noise {number}".encode()) for number in range(3)))
    process.take(sender.arrival(sender.samples([np.nan])))
    told = {
        item.reason: (item.messages, item.devices, item.explanation) for item in quarantine.by_reason(store)
    }
    assert told == {
        "NotABatch": (3, 1, names.explain("NotABatch")),
        "NotFinite": (1, 1, names.explain("NotFinite")),
    }


def test_quarantine_is_kept_as_long_as_configured_and_what_was_stored_shorter(
    store: Database, process: Process, sender: Sender
) -> None:
    settings = StoreSettings(quarantine_days=30.0, settled_quarantine_days=2.0)
    for number in range(3):
        process.take(sender.arrival(f"noise {number}".encode()))
    first, second, third = (item.id for item in quarantine.quarantined(store))
    now = Clock.real().now()
    for number, days, settled in ((first, 29, False), (second, 31, False), (third, 3, True)):
        received = now - timedelta(days=days)
        store.execute(
            "UPDATE quarantine SET received = %(received)s, settled = %(settled)s WHERE id = %(id)s",
            {"id": number, "received": received, "settled": received if settled else None},
        )
    with store.transaction() as connection:
        assert quarantine.expire(connection, settings, now) == 2
    assert quarantine.payload(store, first) == b"noise 2"
    for gone in (second, third):
        with pytest.raises(NotFoundError):
            quarantine.payload(store, gone)
    assert fleet.device(store, "press-01").rejected == 3


# ---------------------------------------------------------------- live and backlog


def backlog(batch: Batch) -> Batch:
    return replace(batch, backlog=True)


def test_a_device_that_catches_up_is_told_from_one_that_keeps_up(
    store: Database, process: Process, sender: Sender
) -> None:
    old = sender.arrival(backlog(sender.samples([1.0])))
    process.take(old)
    process.take(old)
    found = fleet.device(store, "press-01")
    assert (found.backlog, found.last_live, found.last_batch is None) == (1, None, False)
    process.take(sender.arrival(sender.samples([1.0])), sender.arrival(backlog(sender.samples([1.0]))))
    found = fleet.device(store, "press-01")
    assert (found.backlog, found.last_live) == (2, found.last_batch)


def test_a_decoded_batch_is_judged_like_one_made_here(sender: Sender) -> None:
    batch = sender.samples([1.5, 2.5])
    decoded = decode(encode(batch))
    assert isinstance(batch.series[0], Series)
    assert decoded.columns.values.tolist() == batch.columns.values.tolist()
