"""An outbox that is gone takes what it held with it: the hub says from when to when, as nobody else can."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from ingest_world import Process, Sender, add_device, now_us

from cloud_hub.ingest.births import OUTBOX_LOST, TOGETHER
from cloud_hub.store.database import Database
from wire.clock import to_datetime
from wire.messages import EpochFloor

MINUTE_US = 60_000_000


def named(*epochs: int) -> dict[str, tuple[EpochFloor, ...]]:
    return {"epochs": tuple(EpochFloor(epoch=each, floor=1, next=9) for each in epochs)}


def lost(store: Database) -> list[tuple]:
    rows = store.rows(
        "SELECT from_time, to_time FROM gap WHERE reason = %(reason)s ORDER BY id", {"reason": OUTBOX_LOST}
    )
    return [(row["from_time"], row["to_time"]) for row in rows]


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=2) as opened:
        yield opened


@pytest.fixture
def sender(store: Database) -> Sender:
    add_device(store, "press-01")
    return Sender()


@pytest.fixture
def process(store: Database, sender: Sender) -> Process:
    """The device was born with epoch 1 and a sample of ten minutes ago has come."""
    process = Process(store)
    sender.epoch = 1
    process.born(sender, sender.birth(**named(1)))
    process.take(sender.arrival(sender.samples([20.5], start=now_us() - 10 * MINUTE_US)))
    return process


def test_a_restart_that_still_names_the_epoch_before_is_no_loss(
    store: Database, process: Process, sender: Sender
) -> None:
    process.born(sender, sender.birth(**named(1, 2)))
    assert not lost(store)


def test_a_wiped_outbox_is_a_gap_from_the_newest_that_came(
    store: Database, process: Process, sender: Sender
) -> None:
    process.born(sender, sender.birth(**named(2)))
    ((since, until),) = lost(store)
    assert abs(since - (to_datetime(now_us() - 10 * MINUTE_US) - TOGETHER)) < timedelta(seconds=5)
    assert abs(until - to_datetime(now_us())) < timedelta(seconds=5)


def test_an_outbox_lost_before_anything_came_is_a_gap_from_enrolment_on(
    store: Database, sender: Sender
) -> None:
    process = Process(store)
    process.born(sender, sender.birth(**named(1)))
    process.born(sender, sender.birth(**named(2)))
    ((since, _),) = lost(store)
    assert since == store.row("SELECT enrolled FROM device")["enrolled"]


def test_a_birth_said_again_and_losses_in_a_row_grow_one_gap(
    store: Database, process: Process, sender: Sender
) -> None:
    process.born(sender, sender.birth(**named(2)))
    (first,) = lost(store)
    process.born(sender, sender.birth(**named(2)))
    assert lost(store) == [first]
    process.born(sender, sender.birth(**named(3)))
    ((since, until),) = lost(store)
    assert since == first[0]
    assert until > first[1]
