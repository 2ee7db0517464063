"""The audit chain: every decision by a person or a policy, each entry sealed by the hash of the one before.

An entry is written in the transaction of the act it records, so there is no act
without an entry and no entry without its act. Changing, removing or inserting
an entry breaks the chain at that place; only the newest entries could be cut off
unseen, which is why :func:`verify` tells the head to compare with a copy kept elsewhere.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud_hub.errors import NotFoundError
from cloud_hub.store.database import Connection, Row, load_queries
from wire.clock import Clock, to_us

SQL = load_queries("cloud_hub.governance")
GENESIS = bytes(32)  # what the first entry follows
SMALLEST = -(2**63)  # that an id can be
AT_ONCE = 5000  # entries that are read together


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What walking the chain found."""

    entries: int  # sound ones, from the first on
    head: str  # hash of the last sound entry, hex
    broken: int | None = None  # id of the first entry that does not fit
    why: str = ""


def append(
    connection: Connection,
    clock: Clock,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    correlation: str = "",
) -> int:
    """Record an act in its own transaction and return the entry's id.

    Append last: from here to the commit no other transaction can append, and
    one that waited for a row lock meanwhile would hold up every act of the hub.
    """
    connection.execute(SQL["lock"])
    text = json.dumps(dict(detail or {}), sort_keys=True, default=str)
    head = connection.execute(SQL["head"], {"detail": text}).fetchone()
    assert head is not None
    entry: Row = {
        "id": head["id"] + 1,
        "time": clock.now(),
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": head["detail"],
        "correlation": correlation,
        "previous": head["hash"] or GENESIS,
    }
    connection.execute(SQL["insert"], entry | {"hash": seal(entry)})
    return int(entry["id"])


def seal(entry: Row) -> bytes:
    """SHA-256 over the previous hash and the entry's fields."""
    names = ("id", "actor", "action", "subject", "detail", "correlation")
    fields = {name: entry[name] for name in names} | {"time_us": to_us(entry["time"])}
    body = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(bytes(entry["previous"]) + body).digest()


def verify(connection: Connection) -> Verification:
    """Walk the whole chain and stop at the first entry that does not fit."""
    found, further = None, Verification(entries=0, head=GENESIS.hex())
    while further != found:
        found, further = further, go_on(connection, further)
    return further


def go_on(connection: Connection, known: Verification, *, most: int = AT_ONCE) -> Verification:
    """Walk the next entries after those ``known`` to fit; the same where there is none, or one broke."""
    if known.broken is not None:
        return known
    head, count = bytes.fromhex(known.head), known.entries
    asked = {"after": count or SMALLEST, "most": most}  # whoever inserts one may number it as they like
    for entry in connection.execute(SQL["walk"], asked):
        why = _misfit(entry, expected_id=count + 1, head=head)
        if why:
            return Verification(entries=count, head=head.hex(), broken=entry["id"], why=why)
        head, count = bytes(entry["hash"]), count + 1
    return Verification(entries=count, head=head.hex())


def newest(connection: Connection, *, subject: str = "", correlation: str = "", limit: int = 50) -> list[Row]:
    """The newest entries, newest first; of one subject or correlation where given."""
    wanted = {"subject": subject, "correlation": correlation, "limit": limit}
    return connection.execute(SQL["newest"], wanted).fetchall()


def one(connection: Connection, number: int) -> Row:
    """Entry ``number`` of the chain; NotFoundError where there is none."""
    entry = connection.execute(SQL["one"], {"id": number}).fetchone()
    if entry is None:
        raise NotFoundError("audit entry", number)
    return entry


def _misfit(entry: Row, *, expected_id: int, head: bytes) -> str:
    if entry["id"] != expected_id:
        return f"expected entry {expected_id}, got {entry['id']}"
    if bytes(entry["previous"]) != head:
        return f"expected it to follow {head.hex()[:12]}, got {bytes(entry['previous']).hex()[:12]}"
    if bytes(entry["hash"]) != seal(entry):
        return f"expected hash {seal(entry).hex()[:12]}, got {bytes(entry['hash']).hex()[:12]}"
    return ""
