"""Hypertables in a backup: as TimescaleDB wants them restored, and owned by the hub's user afterwards."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from cloud_hub.cli import hub_app
from cloud_hub.errors import BackupError
from cloud_hub.identity.ca import Authority

Make = Callable[[], str]


@pytest.fixture
def bare(timescale_server: str) -> Iterator[Make]:
    """Makes empty databases of the hub's user."""
    made: list[str] = []

    def make() -> str:
        made.append(f"backup_{uuid.uuid4().hex[:12]}")
        with psycopg.connect(timescale_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {made[-1]}")
        return make_conninfo(timescale_server, dbname=made[-1])

    yield make
    with psycopg.connect(timescale_server, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def hub(folder: Path, url: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "hub.toml"
    file.write_text(f'database_url = "{url}"\n')
    return file


def call(*words: str) -> str:
    done = CliRunner().invoke(hub_app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_hypertables_come_back_with_their_rows_and_their_owner(bare: Make, tmp_path: Path) -> None:
    first, second = bare(), bare()
    config = hub(tmp_path / "hub", first)
    Authority.of(config.parent).ensure()
    call("migrate", "--config", str(config))
    with psycopg.connect(first, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO sample SELECT '2026-11-01Z'::timestamptz + i * interval '1 hour', 1, i"
            " FROM generate_series(1, 100) AS i"
        )
    call("backup", str(tmp_path / "backup"), "--config", str(config))

    other = hub(tmp_path / "other", second)
    with pytest.raises(BackupError, match="only a superuser can restore"):
        call("restore", str(tmp_path / "backup"), "--config", str(other))
    superuser = make_conninfo(second, user="postgres")
    try:
        psycopg.connect(superuser).close()
    except psycopg.OperationalError:
        pytest.skip("no superuser named postgres on this server")
    hub(other.parent, superuser)
    call("restore", str(tmp_path / "backup"), "--config", str(other))

    hub(other.parent, second)
    call("migrate", "--config", str(other))
    with psycopg.connect(second, autocommit=True) as connection:
        counted = connection.execute("SELECT count(*), sum(value) FROM sample").fetchone()
        assert counted == (100, 5050.0)
        connection.execute("INSERT INTO sample VALUES ('2026-11-20Z', 1, 1)")
        dropped = connection.execute("SELECT drop_chunks('sample', '2026-11-03Z'::timestamptz)").fetchall()
        assert dropped
        strangers = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND pg_get_userbyid(relowner) <> current_user"
        ).fetchall()
        assert strangers == []
