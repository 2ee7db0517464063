"""How much is stored, of what, from when, and what goes next: asked of the server's own accounts.

Nothing here counts rows: the biggest tables are asked about by their partitions (or chunks), whose sizes
the server knows. So rows are an estimate, and how far back a table reaches is told by its oldest partition
that holds any.
"""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_hub.config import StoreSettings
from cloud_hub.store import capabilities
from cloud_hub.store.capabilities import Capability
from cloud_hub.store.database import Connection, Database, Row, load_queries
from cloud_hub.store.partitions import TABLES, span_of
from wire.clock import Clock

QUERIES = load_queries("cloud_hub.store", "storage.sql")
MOST_OTHERS = 12
MOST_WAITING = 200_000  # hours of signals that are counted
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One of the big tables, in the clock's time; times are edges of its partitions."""

    name: str
    rows: int  # an estimate
    bytes: int  # with indexes
    partitions: int
    filled: int  # of them, with rows
    compressed: int
    oldest: datetime | None  # where its first partition with rows begins
    newest: datetime | None  # where its last one ends, or now
    kept_days: float
    drops: datetime | None  # when the oldest one goes: all of it is past the days it is kept
    bytes_a_day: float | None  # over the last week of whole partitions; None: that is not known yet
    known_days: float  # how much of that week there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What rollups do not show yet, of hours that have ended."""

    hours: int  # of signals
    oldest: datetime | None
    more: bool  # than were counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    tables: tuple[Table, ...]
    others: tuple[Other, ...]
    bytes: int  # of the whole database
    backlog: Backlog
    capabilities: dict[str, Capability]


def look(database: Database, store: StoreSettings, clock: Clock) -> Storage:
    """Everything, of one moment."""
    now = clock.now()
    with database.transaction() as connection:
        able = capabilities.kept(connection)
        return Storage(
            tables=tuple(_table(connection, name, store, able, now) for name in TABLES),
            others=_others(connection),
            bytes=_only(connection, "whole")["bytes"],
            backlog=_backlog(connection, now),
            capabilities=able,
        )


def size(database: Database) -> int:
    """Bytes of the whole database."""
    with database.transaction() as connection:
        return int(_only(connection, "whole")["bytes"])


def free_bytes(database: Database) -> int | None:
    """What is free where the server keeps its files; None where it is elsewhere, or does not say.

    Only a server that is reached by a socket of this machine is believed to be on it.
    """
    with database.transaction() as connection:
        row = connection.execute(QUERIES["place"]).fetchone()
        here = connection.info.host.startswith("/")
    if row is None or not here:
        return None
    try:
        return shutil.disk_usage(row["folder"]).free
    except OSError:
        return None


def _table(
    connection: Connection, name: str, store: StoreSettings, able: dict[str, Capability], now: datetime
) -> Table:
    days = span_of(name, store).days
    parts = _parts(connection, name, able)
    filled = [part for part in parts if part["filled"] and part["lower"] is not None]
    pace, known = pace_of(filled, now)
    first = filled[0] if filled else None
    return Table(
        name=name,
        rows=sum(part["rows"] for part in parts),
        bytes=sum(part["bytes"] for part in parts),
        partitions=len(parts),
        filled=len(filled),
        compressed=sum(part["compressed"] for part in parts),
        oldest=first["lower"] if first else None,
        newest=min(filled[-1]["upper"], now) if filled else None,
        kept_days=days,
        drops=first["upper"] + timedelta(days=days) if first else None,
        bytes_a_day=pace,
        known_days=known,
    )


def _parts(connection: Connection, name: str, able: dict[str, Capability]) -> list[Row]:
    """The partitions or chunks of a table, the oldest first."""
    if able and able["time_tables"].value == capabilities.HYPERTABLES:
        keeper = name
        if "rollups" in able and able["rollups"].value == "continuous":
            row = connection.execute(QUERIES["hypertable_of"], {"table": name}).fetchone()
            keeper = row["name"] if row else name
        return connection.execute(QUERIES["chunks"], {"table": keeper}).fetchall()
    return connection.execute(QUERIES["partitions"], {"table": name}).fetchall()


def pace_of(parts: list[Row], now: datetime) -> tuple[float | None, float]:
    """Bytes a day of the whole partitions of the last week, and how many days these cover; pure.

    Of wide partitions the open one counts as far as it has come. The very first one does not, for nobody
    knows since when it was filled. None with less than a day to go by.
    """
    week = [part for part in parts[1:] if part["upper"] > now - 7 * DAY and part["lower"] < now]
    closed = [part for part in week if part["upper"] <= now]
    chosen = closed if _days(closed, now) >= 1.0 else week
    days = _days(chosen, now)
    if days < 1.0:
        return None, days
    return sum(part["bytes"] for part in chosen) / days, days


def _days(parts: list[Row], now: datetime) -> float:
    return (min(parts[-1]["upper"], now) - parts[0]["lower"]) / DAY if parts else 0.0


def _others(connection: Connection) -> tuple[Other, ...]:
    values = {"tables": list(TABLES), "most": MOST_OTHERS}
    return tuple(Other(**row) for row in connection.execute(QUERIES["others"], values))


def _backlog(connection: Connection, now: datetime) -> Backlog:
    open_hour = now.replace(minute=0, second=0, microsecond=0)
    return Backlog(**_only(connection, "backlog", open=open_hour, most=MOST_WAITING))


def _only(connection: Connection, query: str, **values: object) -> Row:
    row = connection.execute(QUERIES[query], values).fetchone()
    assert row is not None
    return row
