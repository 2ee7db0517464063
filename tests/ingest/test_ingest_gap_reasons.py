"""A device that tells late why sequences will never come is heard: with its reason, and from when to when."""

from collections.abc import Iterator

import pytest
from ingest_world import Process, Sender, add_device, now_us

from cloud_hub.store.database import Database
from wire.batch import BatchClass, GapEvent


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=2) as opened:
        yield opened


def test_what_the_hub_gave_up_gets_the_devices_reason_and_times_piece_by_piece(store: Database) -> None:
    add_device(store, "press-01")
    sender, process = Sender(), Process(store)
    process.born(sender)
    sender.floor, sender.sequence = 7, 6
    process.take(sender.arrival(sender.samples([1.0])))  # 7: 1 to 6 are given up
    began = now_us() - 60_000_000

    def told(first: int, last: int) -> GapEvent:
        times = {"from_us": began + first * 1_000_000, "to_us": began + last * 1_000_000}
        return GapEvent(
            time_us=now_us(),
            reason="disk-full",
            epoch=sender.epoch,
            first_sequence=first,
            last_sequence=last,
            **times,
        )

    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(told(2, 3),))))
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(told(5, 6), told(2, 3)))))
    rows = store.rows(
        "SELECT first_sequence AS a, last_sequence AS b, reason,"
        " extract(epoch FROM to_time - from_time)::integer AS seconds FROM gap ORDER BY 1"
    )
    assert [(row["a"], row["b"], row["reason"], row["seconds"]) for row in rows] == [
        (1, 1, "lost-at-hub", None),
        (2, 3, "disk-full", 1),
        (4, 4, "lost-at-hub", None),
        (5, 6, "disk-full", 1),
    ]
