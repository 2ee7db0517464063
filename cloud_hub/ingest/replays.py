"""Out of quarantine and into the store: when a missing signal table came, or when someone asks.

What has a row in the ledger is stored beside the protocol, for its sequence is
settled already; the lock on its quarantine row is what makes it count once. What
never had one goes through the protocol as if it had just arrived. What the database
refuses stays, with that as its reason, and holds up nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cloud_hub.ingest import group, quarantining
from cloud_hub.ingest.attempts import passes
from cloud_hub.ingest.group import Keyed, Times
from cloud_hub.ingest.ledger import Key, Stream, claim
from cloud_hub.ingest.quarantining import Kept
from cloud_hub.ingest.reading import Arrival, Reading, channel_of, read
from cloud_hub.ingest.settling import Told
from cloud_hub.ingest.tables import Tables
from cloud_hub.store.database import Connection, Row, load_queries
from cloud_hub.store.epochs import to_store
from cloud_hub.store.reasons import Reason
from wire.topics import Channel

QUERIES = load_queries("cloud_hub.ingest", "replays.sql")
AT_ONCE = 10  # unpacked, each may have as much as the largest batch


class _NamelessError(Exception):
    """It still has no place in the protocol: its sender is unknown, or nobody can read which batch it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What was taken up again: how many rows of quarantine, and whose marks move by it."""

    rows: int
    told: dict[Stream, Told] = field(default_factory=dict)


def decode_waiting(
    connection: Connection, device: int, table_hash: bytes, tables: Tables, times: Times
) -> Replayed:
    """Store some of what waited for this signal table; call again while it finds ``AT_ONCE`` rows."""
    values = {"device": device, "hash": table_hash, "most": AT_ONCE}
    rows = connection.execute(QUERIES["waiting_for_table"], values).fetchall()
    return _aside(connection, [(row, _reading(row)) for row in rows], tables, times)


def replay_next(connection: Connection, tables: Tables, times: Times) -> Replayed:
    """Try the next one that someone asked for; no rows where nobody did."""
    row = connection.execute(QUERIES["asked_for"]).fetchone()
    if row is None:
        return Replayed(rows=0)
    if channel_of(row["topic"]) is not Channel.BATCH:
        return _still_refused(connection, row, row["reason"], "only batches can be replayed")
    if row["bytes"] > len(row["payload"]):
        return _still_refused(connection, row, row["reason"], "too large: only its head was kept")
    if row["reason"] == Reason.SEQUENCE_REUSED:
        return _still_refused(connection, row, row["reason"], "its sequence is another batch's")
    if row["sequence"] is not None:
        return _aside(connection, [(row, _reading(row))], tables, times)
    return _as_if_new(connection, row, tables, times)


def _as_if_new(connection: Connection, row: Row, tables: Tables, times: Times) -> Replayed:
    """Through the protocol; what still has no place in it stays as it is."""
    reading = _reading(row)

    def store() -> Replayed:
        outcome = group.store_group(connection, [reading], tables, times)
        if not outcome.told:
            raise _NamelessError(reading.detail)
        _settle(connection, [row], times.now)
        return Replayed(rows=1, told=dict(outcome.told))

    tried = _tried(connection, tables, store)
    if isinstance(tried, Replayed):
        return tried
    return _still_refused(connection, row, row["reason"], tried or "refused again")


def _aside(
    connection: Connection, items: Sequence[tuple[Row, Reading]], tables: Tables, times: Times
) -> Replayed:
    """Beside the protocol; what the database refuses is found by halves."""
    tried = _tried(connection, tables, lambda: _store_aside(connection, items, tables, times))
    if isinstance(tried, Replayed):
        return tried
    if len(items) == 1:
        return _still_refused(connection, items[0][0], Reason.UNSTORABLE, tried)
    middle = len(items) // 2
    first = _aside(connection, items[:middle], tables, times)
    second = _aside(connection, items[middle:], tables, times)
    return Replayed(rows=len(items), told=first.told | second.told)


def _tried(connection: Connection, tables: Tables, work: Callable[[], Replayed]) -> Replayed | str:
    """What ``work`` comes to; or nothing of it was done, and why the database refuses it."""
    try:
        with connection.transaction():
            return work()
    except _NamelessError as error:
        why = str(error)
    except Exception as error:
        if passes(error):
            raise
        why = f"{type(error).__name__}: {error}"
    tables.forget()
    return why


def _store_aside(
    connection: Connection, rows: Sequence[tuple[Row, Reading]], tables: Tables, times: Times
) -> Replayed:
    """Store what is good; a row of which nothing is stays, bad parts of the others get their own rows."""
    known = [(row, reading) for row, reading in rows if reading.header is not None]
    keyed = group.prepare(
        connection, [(reading, _key(row, reading)) for row, reading in known], tables, times
    )
    streams = group.streams_of_gaps(keyed)
    marks = claim(connection, [], streams, times.now).marks if streams else {}
    good = [(row, item) for (row, _), item in zip(known, keyed, strict=True) if _stores_something(item)]
    bad = [(row, item) for (row, _), item in zip(known, keyed, strict=True) if not _stores_something(item)]
    kept: list[Kept] = []
    group.write(connection, [item for _, item in good], marks, times.now, kept)
    quarantining.keep(connection, kept, times.now)
    _settle(connection, [row for row, _ in good], times.now)
    for row, item in bad:
        _still_refused(connection, row, *_reason(item))
    for row, reading in rows:
        if reading.header is None:
            _still_refused(connection, row, reading.reason, reading.detail)
    return Replayed(rows=len(rows), told={stream: Told() for stream in streams})


def _stores_something(item: Keyed) -> bool:
    judged = item.judged
    return judged is not None and bool(
        len(judged.times) or judged.rows or judged.events or judged.captures or not judged.refusals
    )


def _reason(item: Keyed) -> tuple[str, str]:
    if item.refusal is not None:
        return item.refusal.reason, item.refusal.detail
    assert item.judged is not None
    return item.judged.refusals[0].reason, item.judged.refusals[0].detail


def _reading(row: Row) -> Reading:
    return read(Arrival(topic=row["topic"], payload=bytes(row["payload"]), received_us=0))


def _key(row: Row, reading: Reading) -> Key:
    assert reading.header is not None
    return Key(row["device"], to_store(reading.header.epoch), reading.header.sequence)


def _settle(connection: Connection, rows: Sequence[Row], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(QUERIES["settle"], [{"id": row["id"], "now": now} for row in rows])


def _still_refused(connection: Connection, row: Row, reason: str, detail: str) -> Replayed:
    connection.execute(
        QUERIES["still_refused"], {"id": row["id"], "reason": reason, "detail": quarantining.plain(detail)}
    )
    return Replayed(rows=1)
