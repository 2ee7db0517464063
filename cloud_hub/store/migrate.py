"""Bring a database to the schema this code wants, exactly once and in order.

Migrations are numbered .sql files, applied under an advisory lock, each in a
transaction of its own, recorded with its hash. One that was applied and reads
differently now is refused: the database would no longer be what the files say.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import metadata, resources

from procrastinate.schema import SchemaManager

from cloud_hub.config import HubConfig, StoreSettings
from cloud_hub.errors import ConflictError
from cloud_hub.store import partitions, timescale
from cloud_hub.store.capabilities import HYPERTABLES, QUERIES, Capability, find
from cloud_hub.store.database import Connection, Database

_LOCK = 0x616E646F6E  # "andon"
_BY_TIME = re.compile(r"CREATE TABLE (\w+) \([^;]*?\n\) PARTITION BY RANGE \(time\);")
_PARTITION_BY = " PARTITION BY RANGE (time);"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def time_tables(self) -> tuple[str, ...]:
        """The tables it declares partitioned by time."""
        return tuple(_BY_TIME.findall(self.text))


def migrate(conninfo: str, config: HubConfig, *, rollups_come: bool = False) -> tuple[Capability, ...]:
    """Migrate the database at ``conninfo``; returns what it can do.

    Where ``rollups_come`` from another database their tables are made to take them.
    Raises ``ConfigError`` for a server too old, ``ConflictError`` for a changed migration.
    """
    clock = config.time()
    with Database(conninfo).connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        capabilities = find(connection)
        hypertables = any(item.value == HYPERTABLES for item in capabilities)
        connection.execute(QUERIES["make_ledger"])
        _apply_all(connection, shipped(), config.store, clock.now(), hypertables=hypertables)
        capabilities += timescale.arrange(
            connection, capabilities, config.store, clock, rollups_come=rollups_come
        )
        if hypertables:
            _set_widths(connection, config.store)
        _apply_procrastinate(connection, clock.now())
        _keep(connection, capabilities, clock.now())
        partitions.ensure(connection, config.store, clock)
    return capabilities


def missing(database: Database) -> tuple[str, ...]:
    """The migrations of this code that the database has not had; all of them where it has no schema yet."""
    with database.transaction() as connection:
        row = connection.execute(QUERIES["has_ledger"]).fetchone()
        there = row is not None and row["there"]
        applied = {each["name"] for each in connection.execute(QUERIES["applied"])} if there else set()
    return tuple(each.name for each in shipped() if each.name not in applied)


def shipped() -> tuple[Migration, ...]:
    """The migrations of this code, in order."""
    folder = resources.files("cloud_hub.store") / "migrations"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(Migration(name=item.name.removesuffix(".sql"), text=item.read_text()) for item in files)


def _apply_all(
    connection: Connection,
    migrations: tuple[Migration, ...],
    store: StoreSettings,
    now: datetime,
    *,
    hypertables: bool,
) -> None:
    applied = {row["name"]: row["sha256"] for row in connection.execute(QUERIES["applied"])}
    for migration in migrations:
        if migration.name not in applied:
            _apply(connection, migration, store, now, hypertables=hypertables)
        elif applied[migration.name] != migration.sha256:
            raise ConflictError(
                f"migration {migration.name} was applied as {applied[migration.name][:12]} and reads"
                f" {migration.sha256[:12]} now: write a new migration instead of changing an old one"
            )


def _apply(
    connection: Connection, migration: Migration, store: StoreSettings, now: datetime, *, hypertables: bool
) -> None:
    text = migration.text
    with connection.transaction():
        connection.execute(text.replace(_PARTITION_BY, ";") if hypertables else text)
        for table in migration.time_tables if hypertables else ():
            connection.execute(QUERIES["hypertable"], {"table": table, "width": _width(table, store)})
        _record(connection, migration.name, migration.sha256, now)


def _set_widths(connection: Connection, store: StoreSettings) -> None:
    """Chunks from now on are as wide as configured, those that exist stay as they are: like partitions."""
    for row in connection.execute(QUERIES["hypertables"], {"tables": list(partitions.TABLES)}).fetchall():
        table = row["name"]
        connection.execute(QUERIES["chunk_width"], {"table": table, "width": _width(table, store)})


def _width(table: str, store: StoreSettings) -> timedelta:
    return timedelta(hours=partitions.span_of(table, store).hours)


def _apply_procrastinate(connection: Connection, now: datetime) -> None:
    """The job queue's own schema, once."""
    row = connection.execute("SELECT to_regclass('procrastinate_jobs') AS there").fetchone()
    if row is None or row["there"] is None:
        schema = SchemaManager.get_schema()
        with connection.transaction():
            connection.execute(schema)
            name = f"procrastinate-{metadata.version('procrastinate')}"
            _record(connection, name, hashlib.sha256(schema.encode()).hexdigest(), now)


def _record(connection: Connection, name: str, sha256: str, now: datetime) -> None:
    connection.execute(QUERIES["record"], {"name": name, "sha256": sha256, "now": now})


def _keep(connection: Connection, capabilities: tuple[Capability, ...], now: datetime) -> None:
    with connection.transaction():
        connection.execute(QUERIES["forget_capabilities"], {"names": [item.name for item in capabilities]})
        for item in capabilities:
            values = {"name": item.name, "value": item.value, "detail": item.detail, "now": now}
            connection.execute(QUERIES["keep_capability"], values)
