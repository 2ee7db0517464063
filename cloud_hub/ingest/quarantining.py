"""Into quarantine, within the caller's transaction: what could not be stored, with its reason and its bytes.

Nothing that is refused is thrown away, and none of it is kept twice: what has no
place in the ledger is known again by its hash.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud_hub.ingest.judge import Refusal
from cloud_hub.ingest.ledger import Key
from cloud_hub.ingest.reading import Reading
from cloud_hub.ingest.writing import QUERIES
from cloud_hub.store.database import Connection
from wire.codec import Limits, encode

WHOLE_BYTES = Limits().payload_bytes  # longer payloads are kept by hash and head
HEAD_BYTES = 64 << 10
LONGEST_DETAIL = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """One thing for quarantine. ``key`` is there where the ledger has a row for it."""

    topic: str
    device: int | None
    name: str  # of the device, as the topic says it
    reason: str
    detail: str
    payload: bytes
    sha256: bytes
    key: Key | None = None
    table_hash: bytes | None = None  # it waits for this signal table


def whole(
    reading: Reading,
    *,
    device: int | None,
    reason: str,
    detail: str,
    key: Key | None = None,
    table_hash: bytes | None = None,
) -> Kept:
    """A whole message."""
    return Kept(
        topic=reading.arrival.topic,
        device=device,
        name=reading.device,
        reason=reason,
        detail=detail,
        payload=reading.arrival.payload,
        sha256=reading.sha256,
        key=key,
        table_hash=table_hash,
    )


def part(reading: Reading, refusal: Refusal, key: Key) -> Kept:
    """What of a batch was refused for one reason, as a batch of its own."""
    payload = encode(refusal.part)
    return Kept(
        topic=reading.arrival.topic,
        device=key.device,
        name=reading.device,
        reason=refusal.reason,
        detail=refusal.detail,
        payload=payload,
        sha256=hashlib.sha256(payload).digest(),
        key=key,
    )


def keep(connection: Connection, items: Sequence[Kept], now: datetime) -> None:
    """Write them down, sorted, so that two processes with the same poison do not wait in a circle."""
    rows = [
        {
            "device": item.device,
            "topic": plain(item.topic),
            "epoch": item.key.epoch if item.key else None,
            "sequence": item.key.sequence if item.key else None,
            "reason": item.reason,
            "detail": plain(item.detail),
            "table_hash": item.table_hash,
            "payload": item.payload if len(item.payload) <= WHOLE_BYTES else item.payload[:HEAD_BYTES],
            "sha256": item.sha256,
            "bytes": len(item.payload),
            "now": now,
        }
        for item in sorted(items, key=lambda item: (item.topic, item.sha256, item.reason))
    ]
    with connection.cursor() as cursor:
        cursor.executemany(QUERIES["quarantine"], rows)


def plain(text: str) -> str:
    """``text`` as the database can keep it."""
    return text.replace("\0", "?").encode(errors="replace").decode()[:LONGEST_DETAIL]
