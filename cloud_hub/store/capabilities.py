"""What this PostgreSQL server can do for the store, found out by asking it.

The store asks once, when it migrates, and keeps the answers where `andon doctor`
and the console read them. A refusal is kept with its reason: TimescaleDB's Apache
edition, for one, has hypertables and no columnstore.
"""

from dataclasses import dataclass

import psycopg

from cloud_hub.errors import ConfigError
from cloud_hub.store.database import Connection, load_queries

OLDEST = 15
QUERIES = load_queries("cloud_hub.store", "migrate.sql")

LICENSED = ("columnstore", "continuous_aggregates", "retention_policies")  # what the Apache edition refuses

HYPERTABLES = "hypertables"
PARTITIONS = "partitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One answer, such as name "time_tables", value "partitions", detail "no TimescaleDB here"."""

    name: str
    value: str
    detail: str = ""


def find(connection: Connection) -> tuple[Capability, ...]:
    """Ask the server; needs the right to create an extension only where TimescaleDB is there.

    Raises ``ConfigError`` for a server that is too old, or whose TimescaleDB holds the tables and is off.
    """
    server = _server(connection)
    tables, timescale = _time_tables(connection), _timescale(connection)
    if tables is None:
        tables = HYPERTABLES if timescale.value != "no" else PARTITIONS
    elif tables == HYPERTABLES and timescale.value == "no":
        raise ConfigError(f"the tables are hypertables and TimescaleDB does not work: {timescale.detail}")
    detail = (timescale.detail or "made before TimescaleDB was there") if tables == PARTITIONS else ""
    return (
        server,
        timescale,
        Capability(name="time_tables", value=tables, detail=detail),
        *_license(connection, tables),
    )


def kept(connection: Connection) -> dict[str, Capability]:
    """By name, what was found when the database was last migrated; nothing before that."""
    row = connection.execute(QUERIES["is_migrated"]).fetchone()
    if row is None or not row["yes"]:
        return {}
    rows = connection.execute(QUERIES["kept_capabilities"])
    return {each["name"]: Capability(**each) for each in rows}


def seen(connection: Connection) -> dict[str, str]:
    """What the server says of TimescaleDB now: ``available``; where in use, ``version`` and ``license``."""
    found = {}
    for name, query in (("available", "timescale_available"), ("version", "timescale_installed")):
        row = connection.execute(QUERIES[query]).fetchone()
        if row is not None:
            found[name] = str(next(iter(row.values())))
    row = connection.execute(QUERIES["timescale_license"]).fetchone()
    if row is not None and row["license"]:
        found["license"] = str(row["license"])
    return found


def _server(connection: Connection) -> Capability:
    version = connection.info.server_version
    if version < OLDEST * 10_000:
        raise ConfigError(
            f"expected PostgreSQL {OLDEST} or newer, got {version // 10_000}: upgrade the server"
            " or leave the database URL out, then the hub brings its own"
        )
    return Capability(name="postgresql", value=f"{version // 10_000}.{version % 10_000}")


def _time_tables(connection: Connection) -> str | None:
    """How the big tables are kept already; None before the first migration."""
    row = connection.execute(QUERIES["kind_of_sample"]).fetchone()
    if row is None or row["kind"] is None:
        return None
    return PARTITIONS if row["kind"] == "p" else HYPERTABLES


def _timescale(connection: Connection) -> Capability:
    row = connection.execute(QUERIES["timescale_available"]).fetchone()
    if row is None:
        return Capability(name="timescaledb", value="no", detail="the extension is not on this server")
    if connection.execute(QUERIES["timescale_loaded"]).fetchone() is None:
        # to make the extension now would end the connection
        detail = "it is installed and not in the server's shared_preload_libraries"
        return Capability(name="timescaledb", value="no", detail=detail)
    try:
        with connection.transaction():
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except psycopg.Error as error:
        reason = str(error).splitlines()[0]
        return Capability(name="timescaledb", value="no", detail=f"it is there and cannot be used: {reason}")
    installed = connection.execute(QUERIES["timescale_installed"]).fetchone()
    return Capability(name="timescaledb", value=str(installed["version"]) if installed else "no")


def _license(connection: Connection, tables: str) -> tuple[Capability, ...]:
    """What the licence in force allows beyond hypertables."""
    if tables == PARTITIONS:
        return tuple(
            Capability(name=name, value="no", detail="needs TimescaleDB's hypertables") for name in LICENSED
        )
    row = connection.execute("SHOW timescaledb.license").fetchone()
    edition = str(next(iter(row.values()))) if row else "unknown"
    allowed = "yes" if edition == "timescale" else "no"
    detail = "" if allowed == "yes" else "not under TimescaleDB's Apache licence"
    found = [Capability(name=name, value=allowed, detail=detail) for name in LICENSED]
    return (Capability(name="timescaledb_license", value=edition), *found)
