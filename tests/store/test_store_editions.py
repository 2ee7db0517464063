"""The same code on three kinds of server: what each can do is found, kept, told, and noticed when it changes."""

from pathlib import Path

import pytest

from cloud_hub.config import HubConfig
from cloud_hub.doctor_database import judge
from cloud_hub.errors import ConfigError
from cloud_hub.store import capabilities, timescale
from cloud_hub.store.database import Database
from cloud_hub.store.migrate import migrate
from firmware_configs.host import Check, State


@pytest.fixture
def config(state_root: Path) -> HubConfig:
    return HubConfig(state_dir=state_root)


def told(url: str) -> dict[str, Check]:
    """What the doctor says of the database, by name."""
    with Database(url).connect() as connection:
        kept, now = capabilities.kept(connection), capabilities.seen(connection)
    return {check.name: check for check in judge(kept, now)}


def found(url: str, config: HubConfig) -> dict[str, str]:
    return {each.name: each.value for each in migrate(url, config)}


def test_plain_postgresql_is_told_with_what_a_timescale_would_add(database: str, config: HubConfig) -> None:
    checks = told(database)
    assert "partitions of PostgreSQL do its work" in checks["TimescaleDB"].found
    assert "Community edition" in checks["TimescaleDB"].remedy
    assert checks["rollups"].found.startswith("the hub makes them")
    assert checks["compression"].state is State.WARNING


def test_the_apache_edition_is_told_with_what_it_refuses(timescale_bare: str, config: HubConfig) -> None:
    assert "has no schema yet" in told(timescale_bare)["TimescaleDB"].found
    values = found(timescale_bare, config)
    assert [values[name] for name in ("time_tables", "columnstore", "rollups", "compression")] == [
        "hypertables",
        "no",
        "jobs",
        "no",
    ]
    checks = told(timescale_bare)
    assert "Apache edition, hypertables; no columnstore, continuous aggregates" in checks["TimescaleDB"].found
    assert checks["compression"].found == "none: not under TimescaleDB's Apache licence"
    assert "docs/operations.md" in checks["compression"].remedy
    assert {check.state for check in checks.values()} == {State.OK, State.WARNING}


def test_the_community_edition_is_told_with_what_it_does(community_bare: str, config: HubConfig) -> None:
    migrate(community_bare, config)
    checks = told(community_bare)
    assert {check.state for check in checks.values()} == {State.OK}
    assert "Community edition, hypertables" in checks["TimescaleDB"].found
    assert checks["compression"].found == "a policy of TimescaleDB compresses chunks older than 7 days"
    assert checks["rollups"].found == "continuous aggregates: refreshed by the hub as samples come"


def test_a_licence_that_came_later_is_noticed_and_rollups_stay_the_hubs(
    community_bare: str, config: HubConfig
) -> None:
    """The samples of some may be gone, so nothing else could make them again."""
    migrate(community_bare, config, rollups_come=True)
    with Database(community_bare).connect() as connection:
        connection.execute("INSERT INTO rollup_minute VALUES (%s, 1, 60, 0, 1, 30)", (config.time().now(),))
        connection.execute("UPDATE capability SET value = 'apache' WHERE name = 'timescaledb_license'")
    check = told(community_bare)["TimescaleDB"]
    assert check.found == "its license is timescale, at the last migration it was apache"
    assert check.remedy == "run `andon hub migrate`"
    after = found(community_bare, config)
    assert [after[name] for name in ("timescaledb_license", "rollups", "compression")] == [
        "timescale",
        "jobs",
        "policy",
    ]
    assert told(community_bare)["TimescaleDB"].state is State.OK
    with Database(community_bare).connect() as connection:
        assert connection.execute("SELECT count(*) AS n FROM rollup_minute").fetchone() == {"n": 1}


def test_a_licence_that_went_away_is_refused_where_something_needs_it(
    community_bare: str, config: HubConfig
) -> None:
    migrate(community_bare, config, rollups_come=True)
    with Database(community_bare).connect() as connection:
        without = [each for each in capabilities.find(connection) if each.name != "columnstore"]
        without.append(capabilities.Capability(name="columnstore", value="no"))
        arranged = (tuple(without), config.store, config.time())
        kept = {each.name: each.value for each in timescale.arrange(connection, *arranged)}
        assert kept == {"rollups": "jobs", "compression": "no"}
        connection.execute("INSERT INTO sample VALUES (%s, 1, 1.0)", (config.time().now(),))
        connection.execute("SELECT compress_chunk(chunk) FROM show_chunks('sample') AS chunk")
        with pytest.raises(ConfigError, match="compressed chunks, made under the Community licence"):
            timescale.arrange(connection, *arranged)
