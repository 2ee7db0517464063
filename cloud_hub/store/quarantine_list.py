"""Quarantine a page at a time: what waits for which reason and from which device, and what each message was.

Counted by an index, without its payloads; of the messages only those of a page are looked at. What belongs
to devices at sites that somebody may not see is neither listed nor counted for them, and what belongs to no
known device is for those who see every site.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cloud_hub.store.database import Database, Row, load_queries
from cloud_hub.store.quarantine import Waiting
from cloud_hub.store.reasons import explain

QUERIES = load_queries("cloud_hub.store", "quarantine_list.sql")

STATES = ("waiting", "asked", "stored")  # asked: another try is due
FILTERS = ("reason", "device", "state")

SENDER = ("device", "site", "messages", "reasons", "last")
REASON = ("reason", "messages", "devices", "first", "last")

Sites = list[str] | None  # None: every site


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What waits for one reason; ``explanation`` says what it means and what to do."""

    reason: str
    explanation: str
    messages: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whose messages wait; ``device`` is None for those of nobody known."""

    device: str | None
    site: str | None
    messages: int
    reasons: list[str]  # the most frequent first
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    id: int
    device: str | None
    site: str | None
    topic: str
    reason: str
    detail: str
    bytes: int
    times: int
    received: datetime
    replay: datetime | None
    settled: datetime | None

    @property
    def state(self) -> str:
        return "stored" if self.settled else "asked" if self.replay else "waiting"


def reasons(database: Database, *, sites: Sites = None) -> list[Reason]:
    """What waits by reason, the one that came last first."""
    rows = database.rows(QUERIES["reasons"], {"sites": sites})
    return [Reason(**row, explanation=explain(row["reason"])) for row in rows]


def waiting(database: Database, *, sites: Sites = None, most: int = 10) -> tuple[list[Waiting], list[Sender]]:
    """What waits by reason, the one that came last first, and who has most waiting."""
    by_reason, senders = [], []
    for row in database.rows(QUERIES["waiting"], {"sites": sites, "most": most}):
        if row["reason"] is None:
            senders.append(Sender(**{name: row[name] for name in SENDER}))
        else:
            kept = {name: row[name] for name in REASON}
            by_reason.append(Waiting(**kept, explanation=explain(row["reason"])))
    by_reason.sort(key=lambda each: each.last, reverse=True)
    return by_reason, sorted(senders, key=lambda each: (-each.messages, each.device or ""))


def count(
    database: Database, asked: Mapping[str, str], *, since: datetime | None = None, sites: Sites = None
) -> int:
    """How many match ``asked`` (of FILTERS, empty for any) and came at ``since`` or later."""
    row = database.row(QUERIES["count"], _values(asked, since, sites))
    return row["messages"] if row else 0


def page(
    database: Database,
    asked: Mapping[str, str],
    *,
    size: int,
    offset: int,
    since: datetime | None = None,
    sites: Sites = None,
) -> list[Listed]:
    """``size`` of them from ``offset`` on, newest first."""
    values = _values(asked, since, sites) | {"size": size, "offset": offset}
    return [Listed(**row) for row in database.rows(QUERIES["page"], values)]


def sites_of(database: Database, number: int) -> frozenset[str] | None:
    """Where its device is; empty where that is nobody known, None where there is no such message."""
    row = database.row(QUERIES["sites_of"], {"id": number})
    return None if row is None else frozenset(row["sites"])


def _values(asked: Mapping[str, str], since: datetime | None, sites: Sites) -> Row:
    told = {name: asked.get(name, "") for name in FILTERS}
    return told | {"state": told["state"] or "waiting", "since": since, "sites": sites}
