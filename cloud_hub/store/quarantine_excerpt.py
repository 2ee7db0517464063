"""What is in the bytes of a quarantined message, as far as they can be read: enough to see what is wrong.

The bytes come from a device and may be anything. Nothing of them is repeated but numbers, names made safe
to print, and their first bytes as hexadecimal digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_hub.store.database import Database, Row, load_queries
from cloud_hub.store.reasons import Reason
from cloud_hub.terminal import printable
from wire.batch import AlarmEvent, Batch, GapEvent, ReportEvent
from wire.clock import to_datetime
from wire.codec import decode
from wire.errors import MessageError
from wire.table import SignalTable

QUERIES = load_queries("cloud_hub.store", "quarantine_excerpt.sql")
MOST = 12  # parts that are told
HEAD_BYTES = 128
LINE_BYTES = 16

Names = dict[int, str]

KINDS = {AlarmEvent: "alarm", GapEvent: "gap", ReportEvent: "report"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A series of samples, rows of features or predictions, or an event of a batch."""

    kind: str
    name: str
    number: int  # of samples or rows
    first: datetime | None
    last: datetime | None
    low: float | None
    high: float | None
    not_finite: int  # NaN and infinities among the values


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    batch_class: str  # empty: the bytes are no batch
    why: str  # they are not; empty where they are
    parts: list[Part]
    more: int  # parts that are not told
    head: list[tuple[str, str, str]]  # offset, hexadecimal digits, and the same as text
    obstacle: str  # why another try is of no use; empty where it may be


def excerpt(database: Database, number: int) -> Excerpt:
    """What can be said of message ``number``, which is there."""
    row = database.row(QUERIES["message"], {"id": number})
    assert row is not None
    payload = bytes(row["payload"])
    batch, why = _read(payload)
    names = _names(database, row, batch)
    parts = list(islice(_parts(batch, *names), MOST)) if batch else []
    there = len(batch.series) + len(batch.rows) + len(batch.events) if batch else 0
    return Excerpt(
        batch_class=str(batch.batch_class) if batch else "",
        why=printable(why),
        parts=parts,
        more=there - len(parts),
        head=list(_dump(payload[:HEAD_BYTES])),
        obstacle=_obstacle(row, len(payload)),
    )


def _read(payload: bytes) -> tuple[Batch | None, str]:
    try:
        return decode(payload), ""
    except MessageError as error:
        return None, str(error)


def _obstacle(row: Row, kept: int) -> str:
    if row["settled"] is not None:
        return "It was stored after all."
    if row["reason"] == Reason.SEQUENCE_REUSED:
        return "What is in it may have been counted under its own number already; nothing here can tell."
    if not row["topic"].endswith("/batch"):
        return "It is no batch: the device says the like again by itself."
    if row["bytes"] > kept:
        return "It was too large to be kept: only its head is here."
    return ""


def _names(database: Database, row: Row, batch: Batch | None) -> tuple[Names, Names]:
    """Of its device's machines and signals, by the numbers that the batch gives them."""
    if batch is None or row["device"] is None:
        return {}, {}
    values = {"device": row["device"], "hash": batch.table_hash}
    found = database.row(QUERIES["table"], values)
    if found is None:
        return {}, {}
    table = SignalTable.from_fields(found["body"])
    machines = {place: printable(machine.name) for place, machine in enumerate(table.machines)}
    return machines, {signal.id: printable(signal.name) for signal in table.signals}


def _parts(batch: Batch, machines: Names, signals: Names) -> Iterator[Part]:
    for series in batch.series:
        name = _named(signals, series.signal, "signal")
        yield _part("samples", name, series.times, np.asarray(series.values))
    for rows in batch.rows:
        name = f"{_named(machines, rows.machine, 'machine')}, {printable(rows.source)}"
        yield _part("rows", name, rows.times, np.asarray(rows.values))
    for event in batch.events:
        kind = (
            "alarm" if isinstance(event, AlarmEvent) else "gap" if isinstance(event, GapEvent) else "report"
        )
        said = event.message if isinstance(event, AlarmEvent) else event.reason
        yield Part(
            kind=kind,
            name=printable(said),
            number=1,
            first=_time(event.time_us),
            last=_time(event.time_us),
            low=None,
            high=None,
            not_finite=0,
        )


def _part(kind: str, name: str, times: NDArray[np.int64], values: NDArray[Any]) -> Part:
    finite = values[np.isfinite(values)]
    return Part(
        kind=kind,
        name=name,
        number=len(times),
        first=_time(int(times.min())) if len(times) else None,
        last=_time(int(times.max())) if len(times) else None,
        low=float(finite.min()) if finite.size else None,
        high=float(finite.max()) if finite.size else None,
        not_finite=int(values.size - finite.size),
    )


def _time(us: int) -> datetime | None:
    """None for what no calendar has."""
    try:
        return to_datetime(us)
    except (OverflowError, ValueError):
        return None


def _named(names: Names, number: int, what: str) -> str:
    return names.get(number) or f"{what} {number}"


def _dump(head: bytes) -> Iterator[tuple[str, str, str]]:
    for offset in range(0, len(head), LINE_BYTES):
        line = head[offset : offset + LINE_BYTES]
        text = "".join(chr(each) if 32 <= each < 127 else "." for each in line)
        yield f"{offset:04x}", line.hex(" "), text
