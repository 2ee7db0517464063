"""Partitions exist before the rows of their time come, at any pace of the clock, and go when nobody keeps them."""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.config import StoreSettings
from cloud_hub.store import partitions
from cloud_hub.store.database import Connection, Database
from wire.clock import Clock, to_datetime, to_us

HOUR = partitions.HOUR_US


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with Database(database) as opened, opened.connect() as connection:
        yield connection


def spans(connection: Connection, table: str = "sample") -> list[tuple[int, int]]:
    rows = connection.execute(partitions.QUERIES["existing"], {"table": table}).fetchall()
    return [(to_us(row["lower"]), to_us(row["upper"])) for row in rows]


def scaled(start: str, factor: float, after_real_s: float = 0.0) -> Clock:
    """A clock that has been running for some real seconds."""
    return Clock.parse(f"{start},{factor},{time.time() - after_real_s}")


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 30)), max_size=8),
    st.integers(0, 150),
    st.integers(1, 60),
    st.integers(1, 40),
)
def test_missing_slots_cover_what_is_wanted_and_never_overlap(existing, start, length, width) -> None:
    taken, at = [], 0
    for begin, long in sorted(existing):
        if begin >= at:
            taken.append((begin, begin + long))
            at = begin + long
    made = partitions.missing(taken, (start, start + length), width)
    covered = [moment for lower, upper in [*taken, *made] for moment in range(lower, upper)]
    assert len(covered) == len(set(covered))
    assert set(range(start, start + length)) <= set(covered)


def test_a_minute_of_real_time_is_ready_at_half_a_day_a_second(connection: Connection) -> None:
    store = StoreSettings(
        late_horizon_days=20, raw_retention_days=400, ahead_partitions=2, partition_hours=24
    )
    clock = scaled("2026-03-01T00:00:00Z", 43_200, after_real_s=100)
    partitions.ensure(connection, store, clock)
    now = clock.now_us()
    lower, upper = partitions.accepted_range(store, clock)
    assert lower <= now - 19.9 * 24 * HOUR
    assert upper >= now + 59 * 43_200 * 1_000_000
    there = spans(connection)
    assert len(there) < partitions.MOST
    for moment in (lower, now, upper - 1):
        assert any(low <= moment < high for low, high in there)
        sample = {"time": to_datetime(moment)}
        connection.execute("INSERT INTO sample VALUES (%(time)s, 1, 1.0)", sample)


def test_a_scaled_clock_makes_no_partitions_for_a_future_it_never_runs_through() -> None:
    clock = scaled("2026-03-01T00:00:00Z", 1e6)
    caught_up = clock.caught_up_us
    _, upper = partitions.accepted_range(StoreSettings(), clock)
    assert upper <= caught_up + 3 * 24 * HOUR


def test_several_processes_make_them_at_once(database: str) -> None:
    clock, store = scaled("2026-05-01T00:00:00Z", 10_000), StoreSettings(partition_hours=6)

    def ensure() -> None:
        with Database(database) as opened, opened.connect() as connection:
            for _ in range(3):
                partitions.ensure(connection, store, clock)

    threads = [Thread(target=ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Database(database) as opened, opened.connect() as connection:
        there = sorted(spans(connection))
    assert all(upper <= lower for (_, upper), (lower, _) in itertools.pairwise(there))


def test_making_partitions_does_not_wait_for_a_writer(database: str, connection: Connection) -> None:
    with Database(database) as opened, opened.transaction() as writer:
        writer.execute("INSERT INTO sample VALUES (%s, 1, 1.0)", (datetime.now(UTC),))
        connection.execute("SET lock_timeout = '2s'")
        partitions.ensure(connection, StoreSettings(), scaled("2026-06-01T00:00:00Z", 1000))


def test_closed_partitions_are_indexed_and_old_ones_dropped(connection: Connection) -> None:
    store = StoreSettings(late_horizon_days=7, raw_retention_days=30)
    past = scaled("2026-01-01T00:00:00Z", 1.5)
    partitions.ensure(connection, store, past)
    old = to_datetime(past.now_us())
    connection.execute("INSERT INTO sample VALUES (%s, 1, 1.0)", (old,))
    connection.execute("INSERT INTO feature VALUES (%s, 1, 1, 1, 1, 'trend/1', '{1}')", (old,))
    dropped = partitions.tidy(connection, store, Clock.real())
    assert dropped
    assert all(name.startswith("sample_p") for name in dropped)  # features are kept for years
    assert connection.execute("SELECT count(*) AS n FROM sample").fetchone()["n"] == 0
    assert connection.execute("SELECT count(*) AS n FROM feature").fetchone()["n"] == 1
    rows = connection.execute(partitions.QUERIES["existing"], {"table": "sample"}).fetchall()
    now = datetime.now(UTC)
    assert all(row["indexed"] == (row["upper"] <= now) for row in rows)
    assert all(row["upper"] > now - timedelta(days=30) for row in rows)
    assert partitions.tidy(connection, store, Clock.real()) == []


def test_a_partition_that_goes_while_they_are_counted_is_none(database: str) -> None:
    with Database(database) as opened, opened.connect() as counting, opened.connect() as dropping:
        partitions.ensure(counting, StoreSettings(), Clock.real())
        before = spans(counting)
        name = dropping.execute(partitions.QUERIES["existing"], {"table": "sample"}).fetchall()[0]["name"]
        with counting.transaction():
            counting.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            counting.execute("SELECT 1")  # what it sees is settled here
            with dropping.transaction():
                dropping.execute(f"DROP TABLE {name}")
            assert spans(counting) == before[1:]
