"""What TimescaleDB's Community edition adds to hypertables: compression, and rollups that the database makes.

Old chunks are compressed once no row is accepted into them any more. With a real
clock a policy of TimescaleDB does it, with a scaled one the hub: a policy knows the
wall clock alone. Rollups become continuous aggregates where none were made
otherwise before. It is the hub that refreshes them, hour by hour as ``touched``
says, for only so it is known which of them are right, and an hour whose samples
have been dropped is never made again of what is left.
"""

from datetime import datetime, timedelta
from importlib import resources

import psycopg
from psycopg import sql

from cloud_hub.config import StoreSettings
from cloud_hub.errors import ConfigError
from cloud_hub.store.capabilities import HYPERTABLES, Capability
from cloud_hub.store.database import Connection, Row, load_queries
from wire.clock import Clock, to_datetime

QUERIES = load_queries("cloud_hub.store", "timescale.sql")
SEGMENT_BY = {"sample": "signal", "feature": "machine", "prediction": "machine"}
JOBS, CONTINUOUS = "jobs", "continuous"
HOUR = timedelta(hours=1)
MINUTE_US = 60_000_000

_LOCK = 0x726F6C6C  # "roll", as the job that it stands in for


def arrange(
    connection: Connection,
    found: tuple[Capability, ...],
    store: StoreSettings,
    clock: Clock,
    *,
    rollups_come: bool = False,
) -> tuple[Capability, ...]:
    """Make of a migrated database what its edition allows; returns how rollups and compression are done.

    Raises ``ConfigError`` where the licence in force cannot go on with what another one has made.
    """
    values = {item.name: item.value for item in found}
    if values["time_tables"] != HYPERTABLES:
        return _by_the_hub("needs TimescaleDB's hypertables")
    if values["columnstore"] == "no":
        _refuse_what_needs_community(connection)
        return _by_the_hub("not under TimescaleDB's Apache licence")
    with connection.transaction():
        return _rollups(connection, rollups_come=rollups_come), _compression(connection, store, clock)


def refresh(connection: Connection, clock: Clock) -> int:
    """Make the rollups of what was touched until now; returns how many hours that were.

    ``connection`` is in autocommit mode, for a refresh commits by itself. Of several processes one works.
    """
    row = connection.execute(QUERIES["try_lock"], {"key": _LOCK}).fetchone()
    if row is None or not row["mine"]:
        return 0
    try:
        ended = to_datetime(clock.now_us() // MINUTE_US * MINUTE_US)
        hours = connection.execute(QUERIES["touched_hours"], {"open": ended}).fetchall()
        for hour in hours:
            _refresh_hour(connection, hour, ended)
        return len(hours)
    finally:
        connection.execute(QUERIES["unlock"], {"key": _LOCK})


def compress(connection: Connection, table: str, before: datetime) -> list[str]:
    """Compress the chunks of ``table`` that end before ``before``; returns their names. In autocommit mode.

    Nothing where a policy does it, or where it cannot be done.
    """
    if not _is_enabled(connection, table) or _policy_age(connection, table) is not None:
        return []
    done = []
    for row in connection.execute(QUERIES["due_chunks"], {"table": table, "before": before}).fetchall():
        try:
            with connection.transaction():
                connection.execute(QUERIES["wait_briefly"])
                connection.execute(QUERIES["compress"], {"chunk": row["name"]})
        except psycopg.errors.LockNotAvailable:
            continue  # someone reads it; the next turn comes soon
        done.append(row["name"])
    return done


def _by_the_hub(why: str) -> tuple[Capability, ...]:
    return (
        Capability(name="rollups", value=JOBS, detail=why),
        Capability(name="compression", value="no", detail=why),
    )


def _refuse_what_needs_community(connection: Connection) -> None:
    for query, what in (("continuous", "continuous aggregates"), ("compressed", "compressed chunks")):
        if _count(connection, query):
            raise ConfigError(
                f"the database has {what}, made under the Community licence, and the licence in force"
                " is Apache's: set timescaledb.license = 'timescale' on the server"
            )


def _rollups(connection: Connection, *, rollups_come: bool) -> Capability:
    if not _count(connection, "continuous"):
        row = connection.execute(QUERIES["rolled_up"]).fetchone()
        if rollups_come or row is None or row["yes"]:
            why = "there are rollups that the hub made, whose samples may be gone: it goes on making them"
            return Capability(name="rollups", value=JOBS, detail=why)
        connection.execute(_text("timescale_continuous.sql"), prepare=False)
    return Capability(name="rollups", value=CONTINUOUS, detail="refreshed by the hub as samples come")


def _compression(connection: Connection, store: StoreSettings, clock: Clock) -> Capability:
    """A policy's age counts from a chunk's end, so no row that is accepted lands in a compressed chunk."""
    age = timedelta(days=store.late_horizon_days)
    by_policy = clock.caught_up_us == 0  # it is the real one
    for table, column in SEGMENT_BY.items():
        if not _is_enabled(connection, table):
            _enable(connection, table, column)
        kept, wanted = _policy_age(connection, table), age if by_policy else None
        if kept != wanted:
            connection.execute(QUERIES["remove_policy"], {"table": table})
            if wanted is not None:
                connection.execute(QUERIES["add_policy"], {"table": table, "age": wanted})
    detail = f"chunks older than {store.late_horizon_days:g} days"
    return Capability(name="compression", value="policy" if by_policy else "hub", detail=detail)


def _enable(connection: Connection, table: str, column: str) -> None:
    statement = sql.SQL(
        "ALTER TABLE {} SET (timescaledb.compress, timescaledb.compress_segmentby = {},"
        " timescaledb.compress_orderby = 'time')"
    )
    connection.execute(statement.format(sql.Identifier(table), sql.Literal(column)))


def _refresh_hour(connection: Connection, touched: Row, ended: datetime) -> None:
    values = {**touched, "end": touched["hour"] + HOUR, "until": min(ended, touched["hour"] + HOUR)}
    if not touched["dropped"]:
        connection.execute(QUERIES["refresh_minutes"], values)
        connection.execute(QUERIES["refresh_hour"], values)
    with connection.transaction():
        connection.execute(QUERIES["settle"], values)
        if values["until"] < values["end"]:
            connection.execute(QUERIES["wait"], values)


def _is_enabled(connection: Connection, table: str) -> bool:
    row = connection.execute(QUERIES["compression_enabled"], {"table": table}).fetchone()
    return row is not None and bool(row["yes"])


def _policy_age(connection: Connection, table: str) -> timedelta | None:
    row = connection.execute(QUERIES["policy_age"], {"table": table}).fetchone()
    return None if row is None else row["age"]


def _count(connection: Connection, query: str) -> int:
    row = connection.execute(QUERIES[query]).fetchone()
    return row["n"] if row is not None else 0


def _text(file: str) -> str:
    return (resources.files("cloud_hub.store") / file).read_text()
