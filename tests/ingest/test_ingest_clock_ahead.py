"""A device whose clock is ahead goes on explaining what it could not keep."""

from collections.abc import Iterator

import pytest
from ingest_world import Process, Sender, add_device, now_us, reasons

from cloud_hub.store.database import Database
from wire.batch import BatchClass, GapEvent

DAY_US = 86_400_000_000


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=2) as opened:
        yield opened


def test_a_gap_of_readings_now_is_kept_whatever_the_devices_clock_says(store: Database) -> None:
    add_device(store, "press-01")
    sender, process = Sender(), Process(store)
    process.born(sender)
    now = now_us()
    gap = GapEvent(time_us=now + DAY_US, reason="agent-down", from_us=now - 5_000_000, to_us=now - 1_000_000)
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(gap,))))
    (kept,) = store.rows("SELECT extract(epoch FROM to_time - from_time)::integer AS seconds FROM gap")
    assert (kept["seconds"], reasons(store)) == (4, {})


def test_a_gap_of_readings_to_come_is_refused(store: Database) -> None:
    add_device(store, "press-01")
    sender, process = Sender(), Process(store)
    process.born(sender)
    ahead = now_us() + DAY_US
    gap = GapEvent(time_us=now_us(), reason="agent-down", from_us=ahead, to_us=ahead + 1)
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(gap,))))
    assert reasons(store) == {"BadEvent": 1}
