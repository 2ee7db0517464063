"""While a partition of samples is written BRIN is told of its pages; once closed it is indexed, and nobody waits."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.config import StoreSettings
from cloud_hub.store import partitions
from cloud_hub.store.database import Connection, Database, Row
from wire.clock import Clock, to_us

STORE = StoreSettings(late_horizon_days=1, raw_retention_days=30)
NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)
ROWS = 20_000  # some hundred pages
INSERT = (
    "INSERT INTO sample SELECT %s::timestamptz + n * interval '1 ms', 1, n FROM generate_series(1, %s) AS n"
)


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with Database(database) as opened, opened.connect() as connection:
        partitions.ensure(connection, STORE, at(NOW))
        yield connection


@pytest.fixture
def other(database: str, connection: Connection) -> Iterator[Connection]:
    with Database(database) as opened, opened.connect() as another:
        yield another


def partition_of(connection: Connection, moment: datetime) -> Row:
    rows = connection.execute(partitions.QUERIES["existing"], {"table": "sample"}).fetchall()
    return next(row for row in rows if row["lower"] <= moment < row["upper"])


def at(moment: datetime) -> Clock:
    """A clock that stands at ``moment``, as good as."""
    return Clock(to_us(moment), 1.000001, time.time())


@given(st.floats(0.1, 10_000), st.floats(0.1, 1000))
def test_however_long_samples_are_kept_they_are_in_few_partitions(days: float, hours: float) -> None:
    store = StoreSettings(partition_hours=hours, raw_retention_days=days)
    span = partitions.span_of("sample", store)
    assert span.hours >= hours
    assert span.days * 24 / span.hours <= partitions.SAMPLE_PARTITIONS + 1e-6
    assert partitions.SAMPLE_PARTITIONS < partitions.MOST


def test_brin_is_told_of_what_is_new_and_of_nothing_twice(connection: Connection) -> None:
    told: dict[int, int] = {}
    connection.execute(INSERT, (NOW, ROWS))
    first = partitions.summarise(connection, told)
    pages = partition_of(connection, NOW)["bytes"] // 8192
    assert pages // partitions.RANGE_PAGES - 1 <= first <= pages // partitions.RANGE_PAGES + 1
    assert partitions.summarise(connection, told) == 0
    connection.execute(INSERT, (NOW, ROWS))
    second = partitions.summarise(connection, told)
    assert 0 < second <= first + 1
    assert partitions.summarise(connection) == 0  # nor was anything left out


def test_brin_knows_samples_that_are_not_committed_yet(connection: Connection, other: Connection) -> None:
    told: dict[int, int] = {}
    with other.transaction():
        other.execute(INSERT, (NOW, ROWS))
        assert partitions.summarise(connection, told) > 0
    assert partitions.summarise(connection) == 0
    found = connection.execute(
        "SELECT count(*) AS n FROM sample WHERE signal = 1 AND time > %s", (NOW,)
    ).fetchone()
    assert found is not None
    assert found["n"] == ROWS


def test_telling_brin_gives_way_to_who_works_on_a_partition(
    connection: Connection, other: Connection
) -> None:
    told: dict[int, int] = {}
    connection.execute(INSERT, (NOW, ROWS))
    with other.transaction():
        other.execute(f"LOCK TABLE {partition_of(connection, NOW)['name']} IN SHARE UPDATE EXCLUSIVE MODE")
        assert partitions.summarise(connection, told) == 0
    assert partitions.summarise(connection, told) > 0


def test_no_writer_waits_for_the_index_of_a_closed_partition(
    connection: Connection, other: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "SMALL_BYTES", 0)
    connection.execute(INSERT, (NOW, ROWS))
    closed = at(NOW + timedelta(hours=9))
    with ThreadPoolExecutor(1) as pool, Database(database) as opened, opened.connect() as tidying:
        with other.transaction():
            other.execute(INSERT, (NOW, 1))  # holds the index up, which waits for it
            tidied = pool.submit(partitions.tidy, tidying, STORE, closed)
            await_index(connection)
            connection.execute("SET lock_timeout = '2s'")
            connection.execute(INSERT, (NOW, 1))
            assert not partition_of(connection, NOW)["indexed"]
        assert tidied.result(30) == []
    assert partition_of(connection, NOW)["indexed"]


def await_index(connection: Connection) -> None:
    """Until an index is being built: it is there, and not valid yet."""
    deadline = time.monotonic() + 20
    query = "SELECT count(*) AS n FROM pg_index WHERE NOT indisvalid"
    while connection.execute(query).fetchone() == {"n": 0}:
        assert time.monotonic() < deadline, "no index was begun"
        time.sleep(0.01)


def test_an_index_that_was_left_half_built_is_built_again(connection: Connection, other: Connection) -> None:
    connection.execute(INSERT, (NOW, ROWS))
    name = partition_of(connection, NOW)["name"]
    with other.transaction():
        other.execute(INSERT, (NOW, 1))
        connection.execute("SET statement_timeout = '500ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(f"CREATE INDEX CONCURRENTLY {name}_signal ON {name} (signal, time)")
        connection.execute("RESET statement_timeout")
    assert not partition_of(connection, NOW)["indexed"]
    partitions.tidy(connection, STORE, at(NOW + timedelta(hours=9)))
    assert partition_of(connection, NOW)["indexed"]


def test_a_partition_is_left_to_autovacuum_once_it_has_closed(connection: Connection) -> None:
    connection.execute(INSERT, (NOW, ROWS))
    assert options(connection)["autovacuum_enabled"] == "off"
    partitions.tidy(connection, STORE, at(NOW + timedelta(hours=9)))
    assert options(connection)["autovacuum_enabled"] == "on"
    vacuumed = connection.execute(
        "SELECT relallvisible = relpages AND relpages > 0 AS yes FROM pg_class WHERE relname = %s",
        (partition_of(connection, NOW)["name"],),
    ).fetchone()
    assert vacuumed == {"yes": True}


def options(connection: Connection) -> dict[str, str]:
    name = partition_of(connection, NOW)["name"]
    row = connection.execute("SELECT reloptions FROM pg_class WHERE relname = %s", (name,)).fetchone()
    assert row is not None
    return dict(option.split("=") for option in row["reloptions"])


def test_a_partition_is_not_closed_while_its_last_samples_are_still_on_their_way(
    connection: Connection,
) -> None:
    connection.execute(INSERT, (NOW, 1))
    upper = partition_of(connection, NOW)["upper"]
    partitions.tidy(connection, STORE, at(upper + timedelta(seconds=1)))
    assert not partition_of(connection, NOW)["indexed"]
    partitions.tidy(connection, STORE, at(upper + timedelta(seconds=11)))
    assert partition_of(connection, NOW)["indexed"]
