"""What came from the broker, decoded: bytes in, a batch or the name of what is wrong with it out. Pure."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cloud_hub.store.reasons import Reason
from wire.batch import Batch, Header, ReportEvent
from wire.codec import Limits, decode, header
from wire.errors import MessageError, TooLargeError, TopicError, WireError
from wire.topics import Channel, Topic

# A batch too large to decode still says which sequence it is, so that it can be settled.
LETTER_BYTES = 16  # of memory that a letter of evidence takes, about
PART_BYTES = 512  # of memory that a series, a block of rows or an event takes beside its values
_HEADER_LIMITS = Limits(payload_bytes=16 << 20, plain_bytes=96 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One message as the broker delivered it."""

    topic: str
    payload: bytes
    received_us: int
    token: Any = None  # what acknowledges it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """An arrival, decoded as far as it can be; ``batch`` is None where ``reason`` says why."""

    arrival: Arrival
    sha256: bytes
    device: str = ""
    header: Header | None = None
    batch: Batch | None = None
    reason: str = ""
    detail: str = ""

    @property
    def rows(self) -> int:
        """Roughly how many rows it makes in the database."""
        if self.batch is None:
            return 1
        few = len(self.batch.events) + len(self.batch.captures)
        return self.batch.samples + sum(len(rows.times) for rows in self.batch.rows) + few

    @property
    def bytes(self) -> int:
        """Roughly how much memory it takes: what was sent and what it was unpacked to."""
        size = len(self.arrival.payload)
        if self.batch is not None:
            arrays = [array for rows in self.batch.rows for array in (rows.times, rows.values)]
            arrays += [capture.values for capture in self.batch.captures]
            parts = len(self.batch.series) + len(self.batch.rows) + len(self.batch.events)
            parts += len(self.batch.captures)
            evidence = [item.evidence for item in self.batch.events if isinstance(item, ReportEvent)]
            size += LETTER_BYTES * sum(len(str(item)) for item in evidence if item)
            size += 16 * self.batch.samples + sum(array.nbytes for array in arrays) + PART_BYTES * parts
        return size


@lru_cache(maxsize=1 << 16)
def channel_of(topic: str) -> Channel | None:
    """The channel a topic belongs to; None for a topic that is none of ours."""
    try:
        return Topic.parse(topic).channel
    except TopicError:
        return None


def is_announcement(arrival: Arrival) -> bool:
    """Whether it is a birth or a status; everything else is treated as a batch, also when it is none."""
    return channel_of(arrival.topic) in (Channel.BIRTH, Channel.STATUS)


@lru_cache(maxsize=1 << 16)
def _sender(topic: str) -> str:
    """The device a topic names, or a ``TopicError``."""
    return Topic.parse(topic).device


def read(arrival: Arrival) -> Reading:
    """Decode ``arrival``; raises for want of memory alone."""
    digest = hashlib.sha256(arrival.payload).digest()
    try:
        device = _sender(arrival.topic)
    except TopicError as error:
        return Reading(arrival=arrival, sha256=digest, reason=reason_of(error), detail=str(error))
    try:
        batch = decode(arrival.payload)
    except MemoryError:
        raise
    except Exception as error:  # a decoder that knows not what it met must not end the service either
        return Reading(
            arrival=arrival,
            sha256=digest,
            device=device,
            header=_header(arrival.payload, error),
            reason=reason_of(error) if isinstance(error, WireError) else Reason.UNSTORABLE,
            detail=str(error),
        )
    return Reading(arrival=arrival, sha256=digest, device=device, header=batch.header, batch=batch)


def reason_of(error: WireError) -> str:
    """The name an error goes by in quarantine."""
    return type(error).__name__.removesuffix("Error")


def _header(payload: bytes, error: Exception) -> Header | None:
    limits = _HEADER_LIMITS if isinstance(error, TooLargeError) else Limits()
    try:
        return header(payload, limits=limits)
    except MessageError:
        return None
