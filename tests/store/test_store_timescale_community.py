"""On TimescaleDB's Community edition rollups are continuous aggregates and old chunks are compressed: tried for real."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud_hub.config import HubConfig, StoreSettings
from cloud_hub.store import capabilities, charts, partitions, rollups
from cloud_hub.store.database import Connection, Database
from cloud_hub.store.migrate import migrate
from tests.ingest.ingest_world import add_device
from wire.clock import Clock, to_us

STORE = StoreSettings(late_horizon_days=7, raw_retention_days=30)
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = NOW.replace(minute=0, second=0) - timedelta(hours=30)
COLUMNS = """
SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
 WHERE attrelid = %(table)s::regclass AND attnum > 0 ORDER BY attnum
"""
MINUTES = "SELECT time, signal, count, low, high, sum FROM rollup_minute ORDER BY time, signal"
CHUNKS = "SELECT is_compressed FROM timescaledb_information.chunks WHERE hypertable_name = 'sample' ORDER BY range_start"
POLICIES = """
SELECT hypertable_name AS name, config ->> 'compress_after' AS age FROM timescaledb_information.jobs
 WHERE proc_name = 'policy_compression' ORDER BY 1
"""


@pytest.fixture
def config(state_root: Path) -> HubConfig:
    return HubConfig(state_dir=state_root, store=STORE)


@pytest.fixture
def url(community_bare: str, config: HubConfig) -> str:
    """Migrated, with one machine; its signals are 1 and 2."""
    migrate(community_bare, config)
    with Database(community_bare, most=1) as store:
        add_device(store, "press-01")
        store.execute("INSERT INTO machine VALUES (DEFAULT, 'pump-1', 1, 'pump', '', %(now)s)", {"now": NOW})
        for name in ("temperature", "pressure"):
            store.execute(
                "INSERT INTO signal (machine, name, unit, kind) VALUES (1, %(name)s, '', 'scalar')",
                {"name": name},
            )
    return community_bare


@contextmanager
def session(url: str) -> Iterator[Connection]:
    with Database(url).connect() as connection:
        yield connection


def insert(connection: Connection, start: datetime, values: list[float], *, signal: int = 1) -> None:
    """One a second, and what ingest says of them."""
    connection.execute(
        "INSERT INTO sample SELECT %(start)s::timestamptz + (n - 1) * interval '1 second', %(signal)s, value"
        " FROM unnest(%(values)s::float8[]) WITH ORDINALITY AS each (value, n)",
        {"start": start, "signal": signal, "values": values},
    )
    connection.execute(
        "INSERT INTO touched SELECT DISTINCT %(signal)s::integer, date_trunc('hour', time), min(time)"
        " FROM sample WHERE signal = %(signal)s AND time >= %(start)s"
        " AND time < %(start)s::timestamptz + %(n)s * interval '1 second' GROUP BY 2",
        {"start": start, "signal": signal, "n": len(values)},
    )


def chart(url: str, start: datetime, hours: float) -> charts.Chart:
    with Database(url, most=1) as store:
        return charts.series(store, "pump-1", "temperature", start, start + timedelta(hours=hours), most=100)


def made_directly(connection: Connection) -> list[dict]:
    return connection.execute(
        "SELECT date_trunc('minute', time) AS time, signal, count(*) AS count, min(value) AS low,"
        " max(value) AS high, sum(value) AS sum FROM sample GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()


def test_migrating_twice_makes_the_same_schema_with_the_same_names(
    community_bare: str, config: HubConfig, database: str
) -> None:
    first = migrate(community_bare, config)
    assert migrate(community_bare, config) == first
    found = {each.name: each.value for each in first}
    assert (found["rollups"], found["compression"], found["columnstore"]) == ("continuous", "policy", "yes")
    with session(community_bare) as here, session(database) as there:
        assert capabilities.kept(here) == {each.name: each for each in first}
        for table in partitions.TABLES:
            values = {"table": table}
            assert here.execute(COLUMNS, values).fetchall() == there.execute(COLUMNS, values).fetchall()
        applied = "SELECT name, sha256 FROM migration ORDER BY name"
        assert here.execute(applied).fetchall() == there.execute(applied).fetchall()


def test_rollups_are_those_of_the_samples_and_late_data_shows_at_once_and_after(url: str) -> None:
    with session(url) as connection:
        insert(connection, HOUR, [float(n % 60) for n in range(3600)])
        insert(connection, HOUR, [5.0] * 100, signal=2)
        assert rollups.turn(connection, STORE, Clock.real()) == 1
        assert connection.execute(MINUTES).fetchall() == made_directly(connection)
        assert connection.execute("SELECT count(*) AS n FROM touched").fetchone()["n"] == 0
        assert rollups.turn(connection, STORE, Clock.real()) == 0
        insert(connection, HOUR + timedelta(seconds=1800.5), [999.0])
    assert max(chart(url, HOUR, 1).high) == 999.0  # read from the samples
    with session(url) as connection:
        assert rollups.turn(connection, STORE, Clock.real()) == 1
        assert connection.execute(MINUTES).fetchall() == made_directly(connection)
        hour = connection.execute("SELECT * FROM rollup_hour WHERE signal = 1").fetchall()
        assert [(row["time"], row["count"], row["low"], row["high"]) for row in hour] == [
            (HOUR, 3601, 0, 999)
        ]
    shown = chart(url, HOUR, 1)
    assert (max(shown.high), min(shown.low), len(shown.times) <= 100) == (999.0, 0.0, True)


def test_the_open_minute_is_shown_and_rolled_up_when_it_has_ended(url: str) -> None:
    in_the_second_minute = Clock(start_us=to_us(HOUR) + 75_000_000, factor=1.000001, anchor=time.time())
    with session(url) as connection:
        insert(connection, HOUR, [1.0] * 65 + [7.0])
        assert rollups.turn(connection, STORE, in_the_second_minute) == 1
        assert [row["time"] for row in connection.execute(MINUTES)] == [HOUR]
        left = connection.execute("SELECT signal, hour, earliest FROM touched").fetchall()
        assert left == [{"signal": 1, "hour": HOUR, "earliest": HOUR + timedelta(seconds=60)}]
    assert max(chart(url, HOUR, 1).high) == 7.0
    with session(url) as connection:
        assert rollups.turn(connection, STORE, Clock.real()) == 1
        assert connection.execute(MINUTES).fetchall() == made_directly(connection)


def test_what_was_rolled_up_outlives_its_samples_even_when_some_come_too_late(url: str) -> None:
    old = HOUR - timedelta(days=40)
    with session(url) as connection:
        insert(connection, old, [float(n) for n in range(1200)])
        insert(connection, HOUR, [3.0] * 60)
        rollups.turn(connection, STORE, Clock.real())
        before = connection.execute(MINUTES).fetchall()
        assert len(before) == 21
        assert len(partitions.tidy(connection, STORE, Clock.real())) == 1
        assert connection.execute("SELECT count(*) AS n FROM sample").fetchone()["n"] == 60
        assert connection.execute(MINUTES).fetchall() == before
        insert(connection, old + timedelta(seconds=30.5), [-1.0])  # as from a quarantine replayed
        rollups.turn(connection, STORE, Clock.real())
        assert connection.execute(MINUTES).fetchall() == before
    shown = chart(url, old, 1)
    assert (min(shown.low), max(shown.high)) == (0.0, 1199.0)


def test_chunks_are_compressed_past_the_horizon_and_still_take_late_rows(
    url: str, config: HubConfig, state_root: Path
) -> None:
    """With a scaled clock: nothing follows the wall clock then, and the hub does it."""
    long_ago = (NOW - timedelta(days=400)).replace(hour=0, minute=30)  # ten minutes on stay in one chunk
    scaled = HubConfig(state_dir=state_root, store=STORE, clock=f"{long_ago.isoformat()},86400")
    with session(url) as connection:
        assert [row["age"] for row in connection.execute(POLICIES)] == ["7 days"] * 3
    found = {each.name: each.value for each in migrate(url, scaled)}
    assert found["compression"] == "hub"
    start = long_ago - timedelta(days=20)
    with session(url) as connection:
        assert connection.execute(POLICIES).fetchall() == []
        for day in (0, 19.9):
            insert(connection, start + timedelta(days=day), [float(n) for n in range(600)])
        rollups.turn(connection, STORE, scaled.time())
        before = made_directly(connection)
        partitions.tidy(connection, STORE, scaled.time())
        assert [row["is_compressed"] for row in connection.execute(CHUNKS)] == [True, False]
        assert made_directly(connection) == before == connection.execute(MINUTES).fetchall()
        insert(connection, start + timedelta(seconds=300.5), [-77.0])
        rollups.turn(connection, STORE, scaled.time())
        assert connection.execute(MINUTES).fetchall() == made_directly(connection) != before
    assert min(chart(url, start, 1).low) == -77.0
    found = {each.name: each.value for each in migrate(url, config)}
    assert found["compression"] == "policy"
    with session(url) as connection:
        assert [row["age"] for row in connection.execute(POLICIES)] == ["7 days"] * 3


def test_the_policy_compresses_what_is_past_the_horizon_as_configured(url: str, state_root: Path) -> None:
    changed = HubConfig(state_dir=state_root, store=StoreSettings(late_horizon_days=12))
    migrate(url, changed)
    with session(url) as connection:
        assert [row["age"] for row in connection.execute(POLICIES)] == ["12 days"] * 3
        for days in (0, 8, 20):
            insert(connection, HOUR - timedelta(days=days), [1.0, 2.0])
        for job in connection.execute(
            "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'"
        ).fetchall():
            connection.execute("CALL run_job(%(job_id)s)", job)
        assert [row["is_compressed"] for row in connection.execute(CHUNKS)] == [True, False, False]
        assert connection.execute("SELECT count(*) AS n FROM sample").fetchone()["n"] == 6
