"""Real parts for every test: a PostgreSQL server for the session, a fresh migrated database for each test, a broker.

A test that needs a part asks for its fixture; a session that asks for none starts none.
"""

import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from certificates import Certificates, RunningBroker

REPOSITORY = Path(__file__).parent.parent

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as ``andon`` does: tests import what it would

# A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def session_root() -> Iterator[Path]:
    """A directory for what lives as long as the session; its path is short, as Unix sockets want it."""
    root = Path(tempfile.mkdtemp(prefix="andon-"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def state_root() -> Iterator[Path]:
    """A directory of the test's own with a short path."""
    root = Path(tempfile.mkdtemp(prefix="andon-"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def database_url(session_root: Path) -> Iterator[str]:
    """A PostgreSQL server with an empty database; tests want ``database`` instead."""
    import in_memory

    from cloud_hub.parts import places
    from cloud_hub.parts.postgres import Postgres

    # Tests kill processes, never the kernel: what PostgreSQL wrote survives that without fsync, and sooner.
    settings = {"fsync": "off", "shared_buffers": "128MB", "max_wal_size": "256MB"}
    with in_memory.folder(session_root) as folder:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places, "OUTSIDE", folder / "parts")  # where root's server is, too
            server = Postgres(folder / "postgres", settings=settings, ephemeral=True)
        yield server.start()
        server.stop()
        shutil.rmtree(folder / "postgres")
        shutil.rmtree(folder / "parts", ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_template(database_url: str, session_root: Path) -> str:
    """The name of a migrated database that ``database`` copies."""
    from cloud_hub.config import HubConfig
    from cloud_hub.store.migrate import migrate

    name = "andon_template"
    _administer(database_url, f"CREATE DATABASE {name}")
    migrate(_of(database_url, name), HubConfig(state_dir=REPOSITORY))
    return name


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    """Connection string of a fresh database without any table."""
    yield from _database(database_url, "template1")


@pytest.fixture
def database(database_url: str, migrated_template: str) -> Iterator[str]:
    """Connection string of a fresh, migrated database of the test's own."""
    yield from _database(database_url, migrated_template)


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[str]:
    """A server with TimescaleDB's Apache edition: ``$ANDON_TIMESCALE_URL``, else one made for the session.

    The user there has no right but CREATEDB, for a superuser may more than a hub has to.
    """
    import servers

    if named := os.environ.get("ANDON_TIMESCALE_URL"):
        yield named
    else:
        with servers.running("timescale_apache") as url:
            yield url


@pytest.fixture
def timescale_bare(timescale_server: str) -> Iterator[str]:
    """Connection string of a fresh database on the server with TimescaleDB, without any table."""
    from psycopg.conninfo import make_conninfo

    name = f"andon_{uuid.uuid4().hex[:12]}"
    _on(timescale_server, f"CREATE DATABASE {name}")
    yield make_conninfo(timescale_server, dbname=name)
    _drop(timescale_server, name)


@pytest.fixture
def community_bare() -> Iterator[str]:
    """Connection string of a fresh server of TimescaleDB's Community edition: one connection, and no COPY."""
    import servers

    with servers.running("timescale_community") as url:
        yield url


@pytest.fixture(scope="session")
def authority(session_root: Path) -> "Certificates":
    """A certificate authority for tests: ``authority.issue("press-04")`` gives a client its files."""
    from certificates import Certificates

    return Certificates(session_root / "certificates")


@pytest.fixture
def broker(authority: "Certificates", state_root: Path) -> Iterator["RunningBroker"]:
    """A real mosquitto with mutual TLS and access rules, empty of retained messages."""
    from certificates import RunningBroker

    from cloud_hub.parts.broker import Broker, ServerFiles, find_mosquitto
    from cloud_hub.parts.places import sweep

    if find_mosquitto() is None:
        pytest.skip("no mosquitto on this machine")
    server = authority.issue("localhost", server=True)
    files = ServerFiles(ca=server.ca, certificate=server.certificate, key=server.key)
    part = Broker(state_root / "broker", files, ephemeral=True)
    address = part.start()
    yield RunningBroker(
        part=part, host=address.host, port=address.port, hub_port=address.hub_port, authority=authority
    )
    part.stop()
    shutil.rmtree(state_root / "broker")
    sweep()


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The recorded data sets: ``ANDON_DATA``, or the folder beside the repository."""
    place = Path(os.environ.get("ANDON_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (place / "cmapss").is_dir():
        pytest.skip(
            f"no recorded data in {place}: set ANDON_DATA to the folder that holds cmapss, cwru, nab and skab"
        )
    return place


def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _of(server, name)
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _of(server: str, name: str) -> str:
    return server.replace("@/andon?", f"@/{name}?")


def _on(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def _drop(server: str, name: str) -> None:
    """A worker of TimescaleDB may have come to the database a moment ago."""
    import psycopg

    for _ in range(40):
        try:
            return _on(server, f"DROP DATABASE {name} WITH (FORCE)")
        except (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege):
            time.sleep(0.25)
    return pytest.fail(f"{name} could not be dropped")


def _administer(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(_of(server, "postgres"), autocommit=True) as connection:
        connection.execute(statement)
