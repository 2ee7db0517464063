"""A database is migrated once, in order, and never behind anyone's back."""

from pathlib import Path
from threading import Thread

import pytest

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError
from cloud_hub.store.database import Database, Row
from cloud_hub.store.migrate import migrate, shipped


@pytest.fixture
def config(state_root: Path) -> HubConfig:
    return HubConfig(state_dir=state_root)


SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
 WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""


def test_migrating_again_changes_nothing(empty_database: str, config: HubConfig) -> None:
    first = migrate(empty_database, config)
    with Database(empty_database) as database:
        before, applied = database.rows(SCHEMA), database.rows("SELECT * FROM migration ORDER BY name")
        assert migrate(empty_database, config) == first
        assert database.rows(SCHEMA) == before
        assert database.rows("SELECT * FROM migration ORDER BY name") == applied


def test_schema_equals_its_migrations(empty_database: str, database: str, config: HubConfig) -> None:
    migrate(empty_database, config)
    with Database(empty_database) as fresh, Database(database) as copied:
        assert lasting(fresh) == lasting(copied)


def lasting(database: Database) -> list[Row]:
    """The schema without partitions: which there are depends on the hour."""
    return [row for row in database.rows(SCHEMA) if "_p2" not in row["table_name"]]


def test_several_hubs_may_migrate_at_once(empty_database: str, config: HubConfig) -> None:
    threads = [Thread(target=migrate, args=(empty_database, config)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Database(empty_database) as database:
        names = [row["name"] for row in database.rows("SELECT name FROM migration ORDER BY name")]
    assert names[: len(shipped())] == [migration.name for migration in shipped()]
    assert len([name for name in names if name.startswith("procrastinate-")]) == 1


def test_changed_migration_is_refused(empty_database: str, config: HubConfig) -> None:
    migrate(empty_database, config)
    with Database(empty_database) as database:
        database.execute("UPDATE migration SET sha256 = repeat('0', 64) WHERE name = '0001_first'")
    with pytest.raises(ConflictError, match="0001_first was applied as 000000000000"):
        migrate(empty_database, config)


def test_what_the_database_can_do_is_kept(database: str) -> None:
    with Database(database) as store:
        found = {row["name"]: row["value"] for row in store.rows("SELECT name, value FROM capability")}
    assert found["time_tables"] in {"partitions", "hypertables"}
    assert {"postgresql", "timescaledb", "columnstore"} <= found.keys()


def test_every_table_partitioned_by_time_is_found_in_the_migrations() -> None:
    assert [table for migration in shipped() for table in migration.time_tables] == [
        "sample",
        "feature",
        "prediction",
        "rollup_minute",
        "rollup_hour",
    ]
