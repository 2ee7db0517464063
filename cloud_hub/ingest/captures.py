"""Captures into the store, within the caller's transaction, and what was asked for out to the devices.

A command that got lost, or came before a device had told its signals, is said again at its next
birth until its capture is here; a device knows what it has answered.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from cloud_hub.ingest import copying
from cloud_hub.ingest.directives import Publisher
from cloud_hub.ingest.judge_captures import HubCapture
from cloud_hub.ingest.ledger import Key
from cloud_hub.ingest.writing import Storable
from cloud_hub.store.database import Connection, load_queries
from wire.clock import to_us
from wire.messages import WAVEFORM, Command
from wire.topics import Channel, Topic

QUERIES = load_queries("cloud_hub.ingest", "captures.sql")
REPEATED = timedelta(days=1)  # as long is said again what was not answered


def write_captures(connection: Connection, batches: Sequence[Storable], now: datetime) -> int:
    """Store every capture of ``batches``, and note which requests they answer; how many captures."""
    found = [(item.key, capture) for item in batches for capture in item.judged.captures]
    if not found:
        return 0
    with connection.cursor() as cursor, cursor.copy(QUERIES["copy_captures"]) as copy:
        copy.write(copying.HEADER)
        for row in _rows(found, now):
            copy.write(row)
        copy.write(copying.TRAILER)
    commands = sorted({(item.machine, item.command) for _, item in found if item.command})
    if commands:
        machines, ids = map(list, zip(*commands, strict=True))
        values = {"machines": machines, "ids": ids, "now": now}
        connection.execute(QUERIES["lock_requests"], values)
        connection.execute(QUERIES["answer"], values)
    return len(found)


def publish_asked(
    connection: Connection, publisher: Publisher, now: datetime, devices: Iterable[str] | None = None
) -> int:
    """Say again what ``devices``, or all, were asked and have not answered; returns how many times."""
    names = None if devices is None else list(devices)
    values = {"names": names, "since": now - REPEATED}
    rows = connection.execute(QUERIES["asked"], values).fetchall()
    for row in rows:
        command = Command(kind=WAVEFORM, id=row["id"], arguments={"machine": row["machine"]})
        publisher.publish(Topic(row["device"], Channel.COMMAND), command.to_json(), qos=1)
    return len(rows)


def _rows(found: Sequence[tuple[Key, HubCapture]], now: datetime) -> Iterator[bytes]:
    """PostgreSQL's binary form of the columns that ``copy_captures`` names."""
    received = copying.moment(to_us(now))
    for key, item in found:
        fields = (
            struct.pack(">i", item.machine),
            struct.pack(">i", item.signal),
            copying.moment(item.time_us),
            struct.pack(">d", item.rate_hz),
            item.why.encode(),
            struct.pack(">i", key.device),
            struct.pack(">q", key.epoch),
            struct.pack(">q", key.sequence),
            received,
            item.values.astype("<f4", copy=False).tobytes(),
        )
        parts = (piece for field in fields for piece in (struct.pack(">i", len(field)), field))
        yield struct.pack(">h", len(fields)) + b"".join(parts)
