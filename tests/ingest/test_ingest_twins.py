"""Two devices with one name: what one does not know of, the other may still hold, and it must arrive."""

from collections.abc import Iterator

import pytest
from ingest_world import Process, Sender, add_device, count, now_us

from cloud_hub.ingest.births import keep_birth
from cloud_hub.ingest.settling import Settled
from cloud_hub.store.database import Database
from wire.clock import Clock
from wire.messages import EpochFloor


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=2) as opened:
        yield opened


def born(process: Process, sender: Sender, *epochs: EpochFloor) -> dict[int, Settled]:
    """The marks that a birth with these epochs leads to, by epoch."""
    birth = sender.birth(epochs=epochs)
    with process.database.transaction() as connection:
        row = connection.execute("SELECT id FROM device WHERE name = %s", (sender.name,)).fetchone()
        told = keep_birth(connection, row["id"], birth, Clock.real().now()).told
    return {settled.marks.epoch: settled for settled in process.settle(told)}


def lost(store: Database) -> list[tuple[int, int]]:
    rows = store.rows(
        "SELECT first_sequence, last_sequence FROM gap WHERE reason = 'lost-at-hub' ORDER BY id"
    )
    return [(row["first_sequence"], row["last_sequence"]) for row in rows]


def test_what_a_twin_gave_up_is_not_told_as_settled_to_the_device_that_holds_it(store: Database) -> None:
    add_device(store, "press-01")
    sender, process = Sender(epoch=11), Process(store)
    born(process, sender, EpochFloor(epoch=11, floor=1, next=1))
    batches = [sender.samples([float(n)], start=now_us() - 1000 + n) for n in range(1, 6)]
    process.take(*(sender.arrival(batches[at]) for at in (0, 1, 4)))

    born(process, sender, EpochFloor(epoch=22, floor=1, next=1))  # the twin, which never heard of epoch 11
    assert lost(store) == [(3, 4)]

    marks = born(process, sender, EpochFloor(epoch=11, floor=3, next=6))[11].marks
    assert (marks.mark, marks.beyond) == (2, ((5, 5),)), "3 and 4 are still held, and nobody else has them"

    outcome = process.store(sender.arrival(batches[2]))
    (told,) = process.settle(dict(outcome.told))
    assert (told.marks.mark, told.marks.beyond) == (3, ((5, 5),))
    outcome = process.store(sender.arrival(batches[3]))
    (told,) = process.settle(dict(outcome.told))
    assert (told.marks.mark, told.marks.beyond) == (5, ())
    assert (count(store, "sample"), lost(store)) == (5, [])


def test_what_the_device_no_longer_holds_is_told_as_settled(store: Database) -> None:
    add_device(store, "press-01")
    sender, process = Sender(epoch=11), Process(store)
    born(process, sender, EpochFloor(epoch=11, floor=1, next=1))
    batches = [sender.samples([float(n)], start=now_us() - 1000 + n) for n in range(1, 6)]
    process.take(sender.arrival(batches[0]), sender.arrival(batches[4]))
    marks = born(process, sender, EpochFloor(epoch=11, floor=5, next=6))[11].marks
    assert (marks.mark, marks.beyond) == (5, ())
