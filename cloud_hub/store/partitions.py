"""Partitions of the big tables: there before the first row of their time, gone after the last day kept.

Everything is in the clock's time, which a demo may run at half a day a real
second: so a minute of real time is kept ready ahead, whatever that is in clock
time. Partitions are attached under a lock that lets rows go on arriving.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ceil

import psycopg
from psycopg import sql

from cloud_hub.config import StoreSettings
from cloud_hub.store import timescale
from cloud_hub.store.database import Connection, Row, load_queries
from wire.clock import Clock, to_datetime, to_us

QUERIES = load_queries("cloud_hub.store", "partitions.sql")
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
AHEAD_REAL_SECONDS = 60.0
LATE_REAL_SECONDS = 10.0  # what is later than that finds the index of its partition built, or being built
ROLLUPS = ("rollup_minute", "rollup_hour")
TABLES = ("sample", "feature", "prediction", *ROLLUPS)
MOST = 200  # planning a query over more costs more than reading it
SAMPLE_PARTITIONS = 180  # at most, which leaves some for what is ahead
ROLLUP_PARTITIONS = 60  # so many make up the time that rollups are kept

Range = tuple[int, int]  # [from, to) in microseconds since 1970

# Rows are only added, and what autovacuum has not visited yet costs a reader: index entries whose row must be
# looked at. It visits new pages alone, so often is cheap.
VACUUMED_OFTEN = sql.SQL(
    "autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000"
)
# While samples come, a vacuum would keep BRIN from being told of them: one is done when a partition closes.
VACUUMED_ONCE_CLOSED = VACUUMED_OFTEN + sql.SQL(", autovacuum_enabled = off")
RANGE_PAGES = 4  # of the BRIN index of samples, or a part of its range
SMALL_BYTES = 16 * 2**20  # indexed in a moment, so that writers may wait for it

_LOCK = 0x70617274  # "part"
_TIDY_LOCK = 0x74696479  # "tidy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How wide the partitions of a table are, and how long its rows are kept."""

    hours: float
    days: float


def span_of(table: str, store: StoreSettings) -> Span:
    """Samples are many and short-lived; features and predictions are few, and training wants years.

    Rollups outlive what they are made of: hours the minutes, minutes the samples.
    """
    if table == "sample":
        return Span(hours=_sample_hours(store), days=store.raw_retention_days)
    minutes = max(store.rollup_minute_days, store.raw_retention_days)
    if table == "rollup_minute":
        return _rollup_span(minutes)
    if table == "rollup_hour":
        return _rollup_span(max(store.rollup_hour_days, minutes))
    return Span(hours=store.row_partition_hours, days=store.row_retention_days)


def _sample_hours(store: StoreSettings) -> float:
    """As set, or as wide as it takes for what is kept to be in few partitions."""
    needed = store.raw_retention_days * 24.0 / SAMPLE_PARTITIONS
    return store.partition_hours if needed <= store.partition_hours else float(ceil(needed))


def _rollup_span(days: float) -> Span:
    return Span(hours=24.0 * max(1, round(days / ROLLUP_PARTITIONS)), days=days)


def accepted_range(store: StoreSettings, clock: Clock) -> Range:
    """The times for which partitions shall exist now: from the late horizon to well ahead."""
    now = clock.now_us()
    ahead = round(store.ahead_partitions * store.partition_hours * HOUR_US)
    soon = now + round(AHEAD_REAL_SECONDS * clock.rate() * 1_000_000)
    if clock.caught_up_us:
        soon = min(soon, clock.caught_up_us)
    return now - round(store.late_horizon_days * DAY_US), max(now, soon) + ahead


def missing(existing: Iterable[Range], wanted: Range, width_us: int) -> list[Range]:
    """What to create so that ``wanted`` is covered: slots of ``width_us``, less what exists.

    A width that was changed leaves old partitions of another one; new slots give way to them.
    """
    taken = sorted(existing)
    made: list[Range] = []
    for lower in range(wanted[0] // width_us * width_us, wanted[1], width_us):
        at, upper = lower, lower + width_us
        for other_lower, other_upper in taken:
            if other_upper <= at or other_lower >= upper:
                continue
            if other_lower > at:
                made.append((at, other_lower))
            at = other_upper
        if at < upper:
            made.append((at, upper))
    return made


def ensure(connection: Connection, store: StoreSettings, clock: Clock) -> Range:
    """Create what is missing; returns the range that is covered for certain from now on.

    Safe from any number of processes at once; each table is done in a transaction of its own.
    """
    wanted = accepted_range(store, clock)
    for table in TABLES:
        with connection.transaction():
            connection.execute(QUERIES["lock"], {"key": _LOCK})
            span = span_of(table, store)
            whole = _with_samples(connection, wanted, clock, span) if table in ROLLUPS else wanted
            cover(connection, table, whole, span)
    return wanted


def cover(connection: Connection, table: str, wanted: Range, span: Span) -> None:
    """Create what of ``table`` is missing in ``wanted``; in a transaction, and by one process at a time."""
    if not _is_native(connection, table):
        return  # a hypertable makes its chunks by itself
    existing = [(to_us(row["lower"]), to_us(row["upper"])) for row in _existing(connection, table)]
    for lower, upper in missing(existing, wanted, round(span.hours * HOUR_US)):
        _attach(connection, table, to_datetime(lower), to_datetime(upper))


def summarise(connection: Connection, told: dict[int, int] | None = None) -> int:
    """Let BRIN lead to the newest samples; returns how many ranges of pages were new to it.

    ``told`` remembers from call to call which pages each index was told of: without it, all are looked
    through. It gives way to a vacuum, which does the same.
    """
    told = {} if told is None else told
    rows = connection.execute(QUERIES["bare_indexes"]).fetchall()
    return sum(_summarise(connection, row, told) for row in rows if told.get(row["oid"]) != row["pages"])


def _summarise(connection: Connection, index: Row, told: dict[int, int]) -> int:
    known = told.get(index["oid"], index["pages"] + 1)
    query = "summarise" if known > index["pages"] else "summarise_from"
    values = {"index": index["oid"], "first": known // RANGE_PAGES * RANGE_PAGES, "step": RANGE_PAGES}
    try:
        with connection.transaction():
            connection.execute(QUERIES["yield_to_vacuum"])
            row = connection.execute(QUERIES[query], values | {"last": index["pages"] - 1}).fetchone()
    except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedObject):
        return 0  # someone works on the partition, or it is gone; the next turn comes soon
    told[index["oid"]] = index["pages"]
    return row["ranges"] if row else 0


def _with_samples(connection: Connection, wanted: Range, clock: Clock, span: Span) -> Range:
    """Rollups may be made of whatever samples are still there, as long as rollups are kept."""
    row = connection.execute(QUERIES["oldest_sample"]).fetchone()
    if row is None or row["lower"] is None:
        return wanted
    kept = clock.now_us() - round(span.days * DAY_US)
    return min(wanted[0], max(to_us(row["lower"]), kept)), wanted[1]


def tidy(connection: Connection, store: StoreSettings, clock: Clock) -> list[str]:
    """Index the partitions of samples that have closed, drop those past their retention; returns the dropped.

    Samples that are in no rollup yet are not dropped.
    ``connection`` is in autocommit mode: a partition is indexed and detached without stopping writers.
    """
    row = connection.execute(QUERIES["try_lock"], {"key": _TIDY_LOCK}).fetchone()
    if row is None or not row["mine"]:
        return []  # another process is at it
    try:
        connection.execute(QUERIES["one_core"])
        return _tidy(connection, store, clock)
    finally:
        connection.execute(QUERIES["unlock"], {"key": _TIDY_LOCK})


def _tidy(connection: Connection, store: StoreSettings, clock: Clock) -> list[str]:
    now = clock.now_us()
    closed = to_datetime(now - round(LATE_REAL_SECONDS * clock.rate() * 1_000_000))
    dropped: list[str] = []
    for table in TABLES:
        oldest = to_datetime(now - round(span_of(table, store).days * DAY_US))
        if table == "sample":
            oldest = _rolled_up(connection, oldest)
        if not _is_native(connection, table):
            dropped += _tidy_chunks(connection, table, oldest, to_datetime(now))
            timescale.compress(connection, table, to_datetime(now - round(store.late_horizon_days * DAY_US)))
            continue
        for row in _existing(connection, table):
            if row["leaving"] or row["upper"] <= oldest:
                _drop(connection, table, row["name"], leaving=row["leaving"])
                dropped.append(row["name"])
            elif table == "sample" and not row["indexed"] and row["upper"] <= closed:
                _close(connection, row["name"], row["bytes"])
    return dropped


def _rolled_up(connection: Connection, oldest: datetime) -> datetime:
    """``oldest``, or the first hour whose samples no rollup shows yet: those are kept until it does."""
    row = connection.execute(QUERIES["oldest_touched"]).fetchone()
    return min(oldest, row["hour"]) if row and row["hour"] else oldest


def _tidy_chunks(connection: Connection, table: str, oldest: datetime, now: datetime) -> list[str]:
    """The same for a hypertable, whose chunks are its partitions."""
    dropped = _drop_chunks(connection, table, oldest)
    if table == "sample":
        for row in connection.execute(QUERIES["bare_chunks"], {"table": table, "now": now}).fetchall():
            _index(connection, sql.Identifier(row["schema"], row["name"]), row["name"])
    return dropped


def _drop_chunks(connection: Connection, table: str, oldest: datetime) -> list[str]:
    """Chunks cannot be detached first: who waits to drop one makes readers wait, so not for long."""
    try:
        with connection.transaction():
            connection.execute(QUERIES["wait_briefly"])
            rows = connection.execute(QUERIES["drop_chunks"], {"table": table, "before": oldest}).fetchall()
    except psycopg.errors.LockNotAvailable:
        return []  # someone reads them; the next turn comes soon
    return [row["name"] for row in rows]


def _is_native(connection: Connection, table: str) -> bool:
    row = connection.execute(QUERIES["kind"], {"table": table}).fetchone()
    return row is not None and row["kind"] == "p"


def _existing(connection: Connection, table: str) -> list[Row]:
    return connection.execute(QUERIES["existing"], {"table": table}).fetchall()


def _attach(connection: Connection, table: str, lower: datetime, upper: datetime) -> None:
    """Make a partition beside its table and attach it: that lock lets rows go on arriving."""
    name = sql.Identifier(f"{table}_p{lower:%Y%m%d_%H%M%S}")
    create = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH ({})")
    vacuumed = VACUUMED_ONCE_CLOSED if table == "sample" else VACUUMED_OFTEN
    connection.execute(create.format(name, sql.Identifier(table), vacuumed))
    attach = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})")
    bounds = (sql.Literal(lower.isoformat()), sql.Literal(upper.isoformat()))
    connection.execute(attach.format(sql.Identifier(table), name, *bounds))


def _close(connection: Connection, name: str, bytes_: int) -> None:
    """Few rows come into it from now on: vacuum it, then index it, which tells that all this was done."""
    partition = sql.Identifier(name)
    if bytes_:
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(partition))
    connection.execute(sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = on)").format(partition))
    # what is left of an index that was being built when its process ended
    connection.execute(
        sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(f"{name}_signal"))
    )
    _index(connection, partition, name, concurrently=bytes_ > SMALL_BYTES)


def _index(
    connection: Connection, partition: sql.Identifier, name: str, *, concurrently: bool = False
) -> None:
    """Concurrently: the last samples of its time are still to come, and no writer waits while it is built."""
    statement = sql.SQL("CREATE INDEX {} IF NOT EXISTS {} ON {} (signal, time) INCLUDE (value)")
    how = sql.SQL("CONCURRENTLY" if concurrently else "")
    connection.execute(statement.format(how, sql.Identifier(f"{name}_signal"), partition))


def _drop(connection: Connection, table: str, partition: str, *, leaving: bool) -> None:
    how = sql.SQL("FINALIZE" if leaving else "CONCURRENTLY")
    statement = sql.SQL("ALTER TABLE {} DETACH PARTITION {} {}")
    connection.execute(statement.format(sql.Identifier(table), sql.Identifier(partition), how))
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(partition)))
