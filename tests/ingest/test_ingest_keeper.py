"""The keeper of ingest: as busy as what comes makes it, each chore for itself, and gone when it is told."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.config import StoreSettings
from cloud_hub.ingest.keeper import EVERY_S, MOST_NEW, OFTEN_S, Keeper, rest_for
from cloud_hub.store import partitions
from cloud_hub.store.database import Database
from wire.clock import Clock

HOUR = timedelta(hours=1)


@given(st.integers(0, 10**7), st.floats(0.001, 1000.0))
def test_the_next_look_comes_when_charts_would_notice_and_never_too_often(ranges: int, passed: float) -> None:
    rest = rest_for(ranges, passed)
    assert OFTEN_S <= rest <= EVERY_S
    assert rest in (OFTEN_S, EVERY_S) or abs(ranges / passed * rest - MOST_NEW) < 1e-6 * MOST_NEW
    assert rest_for(2 * ranges, passed) <= rest


def test_a_quiet_store_is_looked_at_every_other_second() -> None:
    assert rest_for(0, EVERY_S) == EVERY_S
    assert rest_for(MOST_NEW // 2, EVERY_S) == EVERY_S


def test_what_came_is_rolled_up_and_what_closed_is_indexed_while_the_keeper_lives(database: str) -> None:
    store, clock = StoreSettings(), Clock.real()
    wide = timedelta(hours=store.partition_hours)  # so long ago and an hour more, every partition has closed
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - wide - HOUR
    with Database(database) as opened, opened.connect() as connection:
        partitions.ensure(connection, store, clock)
        connection.execute("INSERT INTO sample VALUES (%s, 1, 1.5), (%s, 1, 2.5)", (hour, hour))
        connection.execute("INSERT INTO touched (signal, hour) VALUES (1, %s)", (hour,))
        keeper = Keeper(opened, store, clock)
        keeper.start()
        try:
            wait_until(
                lambda: opened.rows("SELECT low, high FROM rollup_hour") == [{"low": 1.5, "high": 2.5}]
            )
            wait_until(lambda: is_indexed(opened, hour))
        finally:
            keeper.stop()


def is_indexed(database: Database, moment: datetime) -> bool:
    rows = database.rows(partitions.QUERIES["existing"], {"table": "sample"})
    (own,) = (row for row in rows if row["lower"] <= moment < row["upper"])
    return bool(own["indexed"])


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
