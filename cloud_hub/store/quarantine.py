"""Quarantine as people look at it: what could not be stored, why, and asking for another try.

Only ingest writes telemetry, so a replay is asked for here and done there; it is
taken up when an ingest process runs, and nothing is lost until then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_hub.config import StoreSettings
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.store.database import Connection, Database, Row, load_queries
from cloud_hub.store.epochs import from_store
from cloud_hub.store.reasons import Reason, explain
from wire.batch import Batch
from wire.codec import decode
from wire.errors import MessageError

QUERIES = load_queries("cloud_hub.store", "quarantine.sql")

Note = Callable[[Connection], None]  # writes an act down, in its transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One message or part of one; ``explanation`` says what its reason means and what to do."""

    id: int
    device: str | None
    topic: str
    reason: str
    explanation: str
    detail: str
    epoch: int | None
    sequence: int | None
    bytes: int
    times: int  # how often the same bytes came, where no sequence tells
    received: datetime
    replay: datetime | None  # another try was asked for and not made yet
    settled: datetime | None  # it was stored after all
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the bytes hold, as far as they can be read."""

    batch_class: str
    series: int
    rows: int
    events: int
    samples: int
    captures: int


def quarantined(
    database: Database,
    *,
    device: str | None = None,
    reason: str | None = None,
    every: bool = False,
    most: int = 100,
) -> list[Quarantined]:
    """What waits in quarantine, newest first; with ``every`` also what was stored after all."""
    values = {"id": None, "device": device, "reason": reason, "every": every, "most": most}
    return [_quarantined(row) for row in database.rows(QUERIES["list"], values)]


def show(database: Database, number: int) -> tuple[Quarantined, Contents | None]:
    """One of them with what its bytes hold; ``NotFoundError`` where there is none."""
    values = {"id": number, "device": None, "reason": None, "every": True, "most": 1}
    row = database.row(QUERIES["list"], values)
    if row is None:
        raise NotFoundError("quarantined message", number)
    return _quarantined(row), _contents(payload(database, number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for one reason; ``explanation`` says what it means and what to do."""

    reason: str
    explanation: str
    messages: int
    devices: int
    first: datetime
    last: datetime


def by_reason(database: Database) -> list[Waiting]:
    """What waits in quarantine, the most frequent reason first."""
    rows = database.rows(QUERIES["by_reason"])
    return [Waiting(**row, explanation=explain(row["reason"])) for row in rows]


def payload(database: Database, number: int) -> bytes:
    """The bytes as they came: whole within the packet limit, else their head."""
    row = database.row(QUERIES["payload"], {"id": number})
    if row is None:
        raise NotFoundError("quarantined message", number)
    return bytes(row["payload"])


def expire(connection: Connection, store: StoreSettings, now: datetime) -> int:
    """Delete what is past its retention; how many messages. Counts of rejections per device stay."""
    values = {
        "waiting": now - timedelta(days=store.quarantine_days),
        "settled": now - timedelta(days=min(store.quarantine_days, store.settled_quarantine_days)),
    }
    return connection.execute(QUERIES["expire"], values).rowcount


def unnoted(_connection: Connection) -> None:
    """For whoever keeps no record."""


def ask_replay(database: Database, number: int, *, now: datetime, note: Note = unnoted) -> bool:
    """Ask ingest to try again; whether that is news: False where it was asked for and not tried yet.

    ``ConflictError`` where it was stored already, or came under a sequence that is another batch's: what is
    in it may have been counted under its own, and nothing here can tell.
    """
    found, _ = show(database, number)
    if found.reason == Reason.SEQUENCE_REUSED:
        raise ConflictError(f"{number} is not replayed: {found.explanation}")
    with database.transaction() as connection:
        asked = bool(connection.execute(QUERIES["ask_replay"], {"id": number, "now": now}).rowcount)
        if asked:
            note(connection)
        connection.execute(QUERIES["wake"])
    found = found if asked else show(database, number)[0]
    if found.settled is not None:
        raise ConflictError(f"{number} was stored at {found.settled}: there is nothing to replay")
    return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Messages of which another try is due; ``fresh``: how many of them were not asked for before."""

    numbers: list[int]
    fresh: int


def ask_replay_of(
    database: Database,
    reason: str,
    *,
    device: str | None = None,
    now: datetime,
    most: int | None = None,
    note: Callable[[Connection, int], None] = lambda _connection, _fresh: None,
) -> Asked:
    """Ask ingest to try all again that wait for ``reason``, of one device or of every, the oldest first.

    At most ``most`` of them; ``note`` is told how many were not asked for before, where there are any.
    ``ConflictError`` for those whose sequence is another batch's, as in ``ask_replay``.
    """
    if reason == Reason.SEQUENCE_REUSED:
        raise ConflictError(f"these are not replayed: {explain(reason)}")
    with database.transaction() as connection:
        values = {"reason": reason, "device": device, "now": now, "most": most}
        rows = connection.execute(QUERIES["ask_replay_of"], values).fetchall()
        fresh = sum(row["fresh"] for row in rows)
        if fresh:
            note(connection, fresh)
        connection.execute(QUERIES["wake"])
    return Asked(numbers=[row["id"] for row in rows], fresh=fresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of a replay, in messages."""

    asked: int
    stored: int
    refused: int
    waiting: int  # not tried yet


def answered(database: Database, asked: list[int]) -> Answered:
    row = database.row(QUERIES["answered"], {"ids": asked})
    assert row is not None
    refused = len(asked) - row["stored"] - row["waiting"]
    return Answered(asked=len(asked), refused=refused, **row)


def _quarantined(row: Row) -> Quarantined:
    epoch = None if row["epoch"] is None else from_store(row["epoch"])
    return Quarantined(**{**row, "epoch": epoch}, explanation=explain(row["reason"]))


def _contents(payload: bytes) -> Contents | None:
    try:
        batch: Batch = decode(payload)
    except MessageError:
        return None
    return Contents(
        batch_class=batch.batch_class,
        series=len(batch.series),
        rows=sum(len(rows.times) for rows in batch.rows),
        events=len(batch.events),
        samples=batch.samples,
        captures=len(batch.captures),
    )
