"""On a server with TimescaleDB the same store is made of hypertables: same ingest, same charts, same retention."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from cloud_hub.config import HubConfig, StoreSettings
from cloud_hub.errors import ConfigError
from cloud_hub.store import capabilities, charts, facts, fleet, partitions, rollups
from cloud_hub.store.database import Connection, Database
from cloud_hub.store.migrate import migrate
from tests.ingest.ingest_world import Process, Sender, add_device, count, mark_of, now_us, reasons, table_of
from wire.batch import BatchClass, Rows
from wire.clock import Clock, to_datetime

DAY_US = partitions.DAY_US
WIDTH = (
    "SELECT time_interval AS width FROM timescaledb_information.dimensions WHERE hypertable_name = %(table)s"
)
SAMPLES = """
SELECT 1000000 * extract(epoch FROM range_start)::bigint AS lower,
       EXISTS (SELECT FROM pg_indexes WHERE tablename = chunk_name AND indexname = chunk_name || '_signal') AS indexed
  FROM timescaledb_information.chunks WHERE hypertable_name = 'sample' ORDER BY lower
"""


@pytest.fixture
def config(state_root: Path) -> HubConfig:
    return HubConfig(state_dir=state_root)


@pytest.fixture
def url(timescale_bare: str, config: HubConfig) -> str:
    """The same, migrated."""
    migrate(timescale_bare, config)
    return timescale_bare


@pytest.fixture
def store(url: str) -> Iterator[Database]:
    with Database(url, most=4) as opened:
        add_device(opened, "press-01")
        yield opened


@pytest.fixture
def connection(store: Database) -> Iterator[Connection]:
    with store.connect() as connection:
        yield connection


def insert(connection: Connection, *days_ago: float) -> None:
    for days in days_ago:
        moment = to_datetime(now_us() - round(days * DAY_US))
        connection.execute("INSERT INTO sample VALUES (%s, 1, 1.0)", (moment,))
        connection.execute("INSERT INTO feature VALUES (%s, 1, 1, 1, 1, 'trend/1', '{1}')", (moment,))


def test_the_big_tables_become_hypertables_once(timescale_bare: str, config: HubConfig) -> None:
    first = migrate(timescale_bare, config)
    assert migrate(timescale_bare, config) == first
    found = {each.name: each.value for each in first}
    assert found["time_tables"] == "hypertables"
    with Database(timescale_bare) as store:
        rows = store.rows("SELECT hypertable_name AS name FROM timescaledb_information.hypertables")
        assert {row["name"] for row in rows} == set(partitions.TABLES)
        with store.connect() as connection:
            assert capabilities.kept(connection) == {each.name: each for each in first}


def test_another_width_in_the_configuration_is_the_width_of_the_next_chunks(
    url: str, store: Database, state_root: Path
) -> None:
    assert store.row(WIDTH, {"table": "sample"})["width"] == timedelta(hours=4)
    changed = HubConfig(state_dir=state_root, store=StoreSettings(partition_hours=6))
    migrate(url, changed)
    assert store.row(WIDTH, {"table": "sample"})["width"] == timedelta(hours=6)
    assert store.row(WIDTH, {"table": "feature"})["width"] == timedelta(days=30)


def test_what_the_licence_refuses_is_known_beforehand(store: Database, connection: Connection) -> None:
    """What the migration wrote down is what the server says when it is tried."""
    for name, attempt in (
        ("columnstore", "ALTER TABLE sample SET (timescaledb.compress)"),
        ("retention_policies", "SELECT add_retention_policy('sample', interval '30 days')"),
        (
            "continuous_aggregates",
            "CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous) AS"
            " SELECT time_bucket('1 hour', time), max(value) FROM sample GROUP BY 1 WITH NO DATA",
        ),
    ):
        kept = capabilities.kept(connection)[name]
        if kept.value == "yes":
            connection.execute(attempt)
            continue
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="not supported under the current"):
            connection.execute(attempt)
        assert "Apache licence" in kept.detail
    insert(connection, 1.0)
    assert count(store, "sample") == 1


def test_batches_are_stored_once_and_charts_show_them(store: Database) -> None:
    process, sender = Process(store), Sender()
    process.born(sender)
    start = now_us() - 3 * DAY_US
    values = np.sin(np.arange(5000) / 50)
    values[4321] = 99.0
    messages = [
        sender.arrival(sender.samples(part, start=start + i * DAY_US))  # a chunk each
        for i, part in enumerate(np.array_split(values, 3))
    ]
    times = now_us() - np.arange(3)[::-1] * 1_000_000
    rows = Rows(machine=0, source="trend/1", times=times, values=np.eye(3, dtype=np.float32))
    messages.append(sender.arrival(sender.batch(BatchClass.FEATURE, rows=(rows,))))
    process.take(*messages)
    Process(store).take(*messages)
    assert (count(store, "sample"), count(store, "feature"), mark_of(store)) == (5000, 3, 4)
    assert (reasons(store), facts.facts(store).samples_by_device) == ({}, {"press-01": 5000})
    span = to_datetime(start), to_datetime(now_us())
    chart = charts.series(store, "pump-1", "temperature", *span)
    assert (max(chart.high), min(chart.low)) == (99.0, min(values))
    shown = charts.features(store, "pump-1", feature_set="trend/1", column=0, start=span[0], end=span[1])
    assert (shown.low, shown.high) == ((1, 0, 0), (1, 0, 0))
    assert {each.name: each.value for each in fleet.signals(store, "pump-1")}["temperature"] == values[-1]
    assert charts.predictions(store, "pump-1", "motor-health", *span).times == ()


def test_processes_that_need_the_same_new_chunk_at_once_all_store(store: Database) -> None:
    for number in range(2, 5):
        add_device(store, f"press-0{number}")
    process = Process(store)
    senders = [Sender(name=f"press-0{number}", epoch=number) for number in range(1, 5)]
    senders = [
        Sender(name=each.name, epoch=each.epoch, table=table_of(each.name.replace("press", "pump")))
        for each in senders
    ]
    for each in senders:
        process.born(each)

    def deliver(sender: Sender) -> None:
        own = Process(store)
        for day in range(1, 7):
            own.take(sender.arrival(sender.samples([1.0, 2.0], start=now_us() - day * DAY_US)))

    threads = [threading.Thread(target=deliver, args=(each,)) for each in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert facts.facts(store).samples_by_device == {each.name: 12 for each in senders}


def test_processes_that_get_the_same_batches_at_once_store_them_once(store: Database) -> None:
    senders = [Sender(epoch=number) for number in range(1, 4)]
    Process(store).born(senders[0])
    batches = [
        each.arrival(each.samples([1.0, 2.0, 3.0], start=now_us() - day * DAY_US))
        for day in range(6)
        for each in senders
    ]

    def deliver(order: int) -> None:
        process = Process(store)
        for first in range(0, len(batches), 3):
            process.take(*batches[first : first + 3][::order])

    threads = [threading.Thread(target=deliver, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (count(store, "sample"), reasons(store)) == (3 * len(batches), {})


def test_rollups_are_made_on_hypertables_and_outlive_their_samples(
    store: Database, connection: Connection
) -> None:
    process, sender = Process(store), Sender()
    process.born(sender)
    settings, clock = StoreSettings(), Clock.real()
    values = np.sin(np.arange(20_000) / 500)
    values[777] = -50.0
    start = (now_us() - 5 * DAY_US) // partitions.HOUR_US * partitions.HOUR_US  # all in one hour
    process.take(sender.arrival(sender.samples(values, start=start)))
    assert rollups.turn(connection, settings, clock) == 1
    assert count(store, "touched") == 0
    late = sender.samples([70.0], start=start + 500)
    process.take(sender.arrival(late))
    span = to_datetime(start - DAY_US), to_datetime(start + DAY_US)
    shown = charts.series(store, "pump-1", "temperature", *span)
    assert (min(shown.low), max(shown.high)) == (-50.0, 70.0)
    rollups.turn(connection, settings, clock)
    connection.execute("SELECT drop_chunks('sample', older_than => now())")
    assert count(store, "sample") == 0
    hour = store.row("SELECT sum(count) AS n, min(low) AS low, max(high) AS high FROM rollup_hour")
    assert (hour["n"], hour["low"], hour["high"]) == (20_001, -50.0, 70.0)


def test_closed_chunks_are_indexed_and_old_ones_dropped(store: Database, connection: Connection) -> None:
    settings, clock = StoreSettings(late_horizon_days=7, raw_retention_days=30), Clock.real()
    insert(connection, 0, 3, 29, 45, 200)
    assert partitions.ensure(connection, settings, clock)[1] > now_us()
    dropped = partitions.tidy(connection, settings, clock)
    assert len(dropped) == 2
    assert (count(store, "sample"), count(store, "feature")) == (3, 5)  # features are kept for years
    now = now_us()
    left = store.rows(SAMPLES)
    assert [row["indexed"] for row in left] == [row["lower"] + DAY_US <= now for row in left]
    assert [row["indexed"] for row in left] == [True, True, False]
    assert partitions.tidy(connection, settings, clock) == []


def test_a_long_read_delays_retention_and_nothing_waits_for_either(
    store: Database, connection: Connection
) -> None:
    insert(connection, 0, 45)
    with store.transaction() as reader:
        reader.execute("SELECT count(*) FROM sample")
        assert partitions.tidy(connection, StoreSettings(), Clock.real()) == []
        connection.execute("SET lock_timeout = '1s'")
        insert(connection, 0)
        assert connection.execute("SELECT count(*) AS n FROM sample").fetchone()["n"] == 3
    assert len(partitions.tidy(connection, StoreSettings(), Clock.real())) == 1


def test_late_samples_still_come_into_a_chunk_that_is_indexed(
    store: Database, connection: Connection
) -> None:
    process, sender = Process(store), Sender()
    process.born(sender)
    insert(connection, 3)
    partitions.tidy(connection, StoreSettings(), Clock.real())
    process.take(sender.arrival(sender.samples([1.0, 2.0], start=now_us() - 3 * DAY_US)))
    assert (count(store, "sample"), mark_of(store)) == (3, 1)


def test_native_tables_stay_native_when_timescale_comes_later(timescale_bare: str, config: HubConfig) -> None:
    with Database(timescale_bare) as store:
        store.execute("CREATE TABLE sample (time timestamptz) PARTITION BY RANGE (time)")
        with store.connect() as connection:
            found = {each.name: each for each in capabilities.find(connection)}
    assert (found["time_tables"].value, found["columnstore"].value) == ("partitions", "no")
    assert found["time_tables"].detail == "made before TimescaleDB was there"


def test_hypertables_without_their_extension_are_named(timescale_bare: str) -> None:
    """A table that is neither: as after a restore into a server whose TimescaleDB is off."""
    with Database(timescale_bare) as store, store.connect() as connection:
        connection.execute("CREATE TABLE sample (time timestamptz)")
        connection.execute("CREATE SCHEMA timescaledb_information")  # in the extension's way
        with pytest.raises(ConfigError, match="hypertables and TimescaleDB does not work"):
            capabilities.find(connection)
