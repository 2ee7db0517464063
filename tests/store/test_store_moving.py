"""A hub moves from plain PostgreSQL to TimescaleDB and back with everything it has, or stays where it is."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest
from typer.testing import CliRunner

from cloud_hub.cli import hub_app
from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError
from cloud_hub.parts.reach import served
from cloud_hub.store import moving, partitions, rollups
from cloud_hub.store.database import Database
from cloud_hub.store.migrate import migrate
from tests.ingest.ingest_world import Process, Sender, add_device, count, now_us
from wire.batch import BatchClass, Rows
from wire.clock import Clock, to_datetime

DAY_US = partitions.DAY_US


@pytest.fixture
def config(state_root: Path) -> HubConfig:
    return HubConfig(state_dir=state_root)


def fill(url: str, config: HubConfig) -> None:
    """Samples of days, rows, marks, a ledger, rollups, a job; some samples are too old to be accepted now."""
    migrate(url, config)
    with Database(url, most=2) as store:
        add_device(store, "press-01")
        process, sender = Process(store), Sender()
        process.born(sender)
        for days in (0.01, 1, 6):
            values = np.random.default_rng(1).normal(size=2000)
            process.take(sender.arrival(sender.samples(values, start=now_us() - round(days * DAY_US))))
        times = now_us() - np.arange(5)[::-1] * 1_000_000
        rows = Rows(machine=0, source="trend/1", times=times, values=np.eye(5, dtype=np.float32))
        process.store(sender.arrival(sender.batch(BatchClass.FEATURE, rows=(rows,))))
        old = to_datetime(now_us()) - timedelta(days=20)
        with store.connect() as connection, connection.transaction():
            span = partitions.span_of("sample", config.store)
            partitions.cover(connection, "sample", (now_us() - 21 * DAY_US, now_us()), span)
            connection.execute("INSERT INTO sample VALUES (%s, 1, 'NaN'), (%s, 1, '-Infinity')", (old, old))
        with store.connect() as connection:
            rollups.turn(connection, config.store, Clock.real())
            connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('rollout', 'step')"
            )
            connection.execute("INSERT INTO site (name) VALUES ('gone')")
            connection.execute("DELETE FROM site WHERE name = 'gone'")


def contents(url: str) -> dict[str, tuple[int, str]]:
    """Rows and a hash of them, by table; and what the sequences give next."""
    with Database(url).connect() as connection:
        tables = [row["name"] for row in connection.execute(moving.QUERIES["tables"]).fetchall()]
        found = {
            table: tuple(
                connection.execute(
                    "SELECT count(*) AS n, md5(string_agg(md5(each::text), '' ORDER BY md5(each::text))) AS hash"
                    f" FROM {table} AS each"
                )
                .fetchone()
                .values()
            )
            for table in tables
            if table not in moving.ITS_OWN
        }
        for row in connection.execute(moving.QUERIES["sequences"]).fetchall():
            state = connection.execute(f"SELECT last_value, is_called::text FROM {row['name']}").fetchone()
            found[row["name"]] = tuple(state.values())
        return found


def kind(url: str) -> str:
    with Database(url).connect() as connection:
        row = connection.execute("SELECT value FROM capability WHERE name = 'time_tables'").fetchone()
        return row["value"]


def test_everything_comes_to_timescale_and_back(
    empty_database: str, timescale_bare: str, database: str, config: HubConfig
) -> None:
    fill(empty_database, config)
    before = contents(empty_database)
    moved = moving.move(empty_database, timescale_bare, config)
    assert (moved["sample"], moved["feature"], moved["mark"]) == (6002, 5, 1)
    assert (
        min(moved["ledger"], moved["rollup_minute"], moved["rollup_hour"], moved["procrastinate_events"]) > 0
    )
    assert contents(timescale_bare) == contents(empty_database) == before
    moving.move(timescale_bare, database, config)
    assert contents(database) == before
    assert [kind(url) for url in (empty_database, timescale_bare, database)] == [
        "partitions",
        "hypertables",
        "partitions",
    ]


def test_a_moved_hub_goes_on_where_it_was(
    empty_database: str, timescale_bare: str, config: HubConfig
) -> None:
    fill(empty_database, config)
    moving.move(empty_database, timescale_bare, config)
    migrate(timescale_bare, config)
    with Database(timescale_bare, most=2) as store:
        process, sender = Process(store), Sender(sequence=3)
        again = sender.samples(np.random.default_rng(2).normal(size=50))  # its sequence was used before
        process.take(sender.arrival(again))
        process.take(sender.arrival(sender.samples([1.0, 2.0])))
        assert count(store, "sample") == 6004
        assert store.row("INSERT INTO site (name) VALUES ('new') RETURNING id")["id"] == 3


def test_a_database_that_is_in_use_or_not_empty_is_refused_and_stays(
    empty_database: str, timescale_bare: str, config: HubConfig
) -> None:
    fill(empty_database, config)
    with psycopg.connect(empty_database, application_name="andon ingest"):  # noqa: SIM117
        with pytest.raises(ConflictError, match=r"1 other connections use the old database \(andon ingest\)"):
            moving.move(empty_database, timescale_bare, config)
    with psycopg.connect(timescale_bare):  # noqa: SIM117
        with pytest.raises(ConflictError, match="other connections use the new database"):
            moving.move(empty_database, timescale_bare, config)
    migrate(timescale_bare, config)
    with Database(timescale_bare).connect() as connection:
        connection.execute("INSERT INTO site (name) VALUES ('other')")
    with pytest.raises(ConflictError, match="not empty, site has rows"):
        moving.move(empty_database, timescale_bare, config)
    with Database(timescale_bare).connect() as connection:
        rows = connection.execute("SELECT name FROM site").fetchall()
    assert rows == [{"name": "other"}]


def test_a_database_of_something_else_is_not_filled(
    empty_database: str, timescale_bare: str, config: HubConfig
) -> None:
    migrate(empty_database, config)
    with psycopg.connect(timescale_bare, autocommit=True) as connection:
        connection.execute("CREATE TABLE invoice (id integer)")
    with pytest.raises(ConflictError, match="it holds invoice"):
        moving.move(empty_database, timescale_bare, config)


def test_an_old_schema_is_refused_and_the_empty_database_may_be_tried_again(
    empty_database: str, timescale_bare: str, config: HubConfig
) -> None:
    with pytest.raises(ConflictError, match="never migrated"):
        moving.move(empty_database, timescale_bare, config)
    fill(empty_database, config)
    with Database(empty_database).connect() as connection:
        connection.execute("UPDATE migration SET name = '0001_other' WHERE name = '0001_first'")
    with pytest.raises(ConflictError, match="migrate` the old one"):
        moving.move(empty_database, timescale_bare, config)
    with Database(empty_database).connect() as connection:
        connection.execute("UPDATE migration SET name = '0001_first' WHERE name = '0001_other'")
    assert moving.move(empty_database, timescale_bare, config)["sample"] == 6002


def test_a_hub_moves_from_the_server_it_brought_by_one_command(timescale_bare: str, state_root: Path) -> None:
    old, new = state_root / "old.toml", state_root / "hub.toml"
    state = json.dumps(str(state_root / "hub"))
    old.write_text(f"state_dir = {state}\n")
    new.write_text(f"state_dir = {state}\ndatabase_url = {json.dumps(timescale_bare)}\n")
    with served(HubConfig.load(old)) as url:
        fill(url, HubConfig.load(old))
        before = contents(url)
    done = CliRunner().invoke(hub_app, ["migrate", "--config", str(new), "--from", str(old)])
    assert done.exception is None, done.output
    assert "rows of" in done.output
    assert contents(timescale_bare) == before
    same = CliRunner().invoke(hub_app, ["migrate", "--config", str(new), "--from", str(new)])
    assert "name the same database" in str(same.exception)
