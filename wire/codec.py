"""The bytes of a batch: a header, and behind it protobuf around little-endian columns in one zstd frame.

Decoding maps columns and never loops over samples. It vouches for the shape of
what came (lengths agree, sizes are within limits) and not for its sense: whether
a value is finite or a time plausible is judged series by series at the hub, so
that one bad series does not cost its neighbours.

The header is read whatever became of the rest, so that a damaged batch, or one of
a later schema, can be settled by its sequence instead of being sent for ever.
"""

import struct
from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError, EncodeError

from wire import batch_pb2 as pb
from wire import columns, first_schema, samples
from wire.batch import Batch, BatchClass, Capture, Event, Header, Rows, Series
from wire.errors import (
    MessageError,
    NotABatchError,
    TooLargeError,
    TooManyPartsError,
    TruncatedError,
    UnknownSchemaError,
)
from wire.events import check_evidence, from_message, to_message
from wire.frame import MAGIC as ZSTD
from wire.frame import ZSTD_LEVEL, Limits, check_parts, pack, unpack

__all__ = ["SCHEMA", "ZSTD_LEVEL", "Limits", "decode", "encode", "encode_body", "header", "seal", "seal_all"]

SCHEMA = 2
_LIMITS = Limits()
MAGIC = b"andb"
_HEAD = struct.Struct("<4sBH")  # magic, schema, length of the header
_SEQUENCE = bytes([pb.Header.SEQUENCE_FIELD_NUMBER << 3])  # its key: a varint follows
_LOW = [bytes([number]) for number in range(128)], [bytes([number | 128]) for number in range(128)]
_NUMBERS = {item: pb.BatchClass.Value(f"BATCH_CLASS_{item.name}") for item in BatchClass}
_CLASSES = {number: item for item, number in _NUMBERS.items()}

_Head = TypeVar("_Head", pb.Header, pb.Batch)


def encode(batch: Batch) -> bytes:
    """The bytes of ``batch``; equal batches give equal bytes."""
    body = encode_body(series=batch.series, rows=batch.rows, events=batch.events, captures=batch.captures)
    return seal(batch, body)


def encode_body(
    *,
    series: Sequence[Series] = (),
    rows: Sequence[Rows] = (),
    events: Sequence[Event] = (),
    captures: Sequence[Capture] = (),
) -> bytes:
    """What a batch holds, packed: all the work of ``encode``, before sequence and floor are known.

    ``seal(header, body)`` makes a payload of it in a few microseconds, the same bytes that ``encode``
    makes of the whole; so a lock under which sequences are given need not be held while packing.
    """
    body = pb.Body()
    if series:
        samples.to_message(series, body.samples)
    if rows:
        body.rows.extend([columns.from_rows(item) for item in rows])
    if events:
        body.events.extend([to_message(item) for item in events])
    if captures:
        body.captures.extend([columns.from_capture(item) for item in captures])
    try:
        return pack(body.SerializeToString())
    except EncodeError as error:
        raise MessageError(f"batch cannot be written: {error}") from error


def seal(header: Header | Batch, body: bytes) -> bytes:
    """The payload of a batch whose ``body`` came from ``encode_body``."""
    return seal_all(header, (body,))[0]


def seal_all(header: Header | Batch, bodies: Sequence[bytes]) -> list[bytes]:
    """The payloads of batches that follow one another, all but their sequences as in ``header``.

    Only a sequence's own bytes are made for each: seven bits and a mark that more follow, then what
    128 neighbours share.
    """
    before, behind = _around(header, header.sequence + len(bodies) - 1)
    payloads, shared, start, rest = [], -1, b"", b""
    for sequence, body in enumerate(bodies, header.sequence):
        if sequence >> 7 != shared:
            shared = sequence >> 7
            rest = (_varint(shared) if shared else b"") + behind
            start = _HEAD.pack(MAGIC, SCHEMA, len(before) + 1 + len(rest)) + before
        payloads.append(b"".join((start, _LOW[bool(shared)][sequence & 127], rest, body)))
    return payloads


def _around(header: Header | Batch, last: int) -> tuple[bytes, bytes]:
    """What is before a sequence in the bytes of a header, up to its key, and what is behind it."""
    before = pb.Header(epoch=header.epoch, sequence=last)  # refuses what is no sequence
    before.batch_class = _NUMBERS[header.batch_class]  # type: ignore[assignment]  # an enum is a number
    behind = pb.Header(floor=header.floor, table_hash=header.table_hash, backlog=header.backlog)
    before.ClearField("sequence")
    return before.SerializeToString() + _SEQUENCE, behind.SerializeToString()


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def decode(payload: bytes, *, limits: Limits = _LIMITS) -> Batch:
    """The batch in ``payload``, or a ``MessageError`` that says by its name what is wrong.

    ``limits`` are enforced before memory is taken. The series come as ``SampleColumns``.
    """
    _check_length(payload, limits)
    if payload[:4] == ZSTD:
        first = first_schema.parse(payload, limits)
        return _batch(_checked(first), first_schema.to_series(first, limits), first, limits)
    schema, head, place = _head(payload)
    if schema != SCHEMA:
        raise UnknownSchemaError(f"expected batch schema {first_schema.SCHEMA} or {SCHEMA}, got {schema}")
    plain = unpack(memoryview(payload)[place:], limits)
    check_parts(plain, limits)
    try:
        body = pb.Body.FromString(plain)
    except DecodeError as error:
        raise NotABatchError(f"not a batch: {error}") from error
    return _batch(head, samples.from_message(body.samples, limits), body, limits)


def header(payload: bytes, *, limits: Limits = _LIMITS) -> Header:
    """What the batch says of itself, whatever its schema; nothing else is looked at or unpacked.

    Batches of schema 1 have to be unpacked for it, within ``limits``.
    """
    _check_length(payload, limits)
    if payload[:4] == ZSTD:
        return _header(_checked(first_schema.parse(payload, limits)))
    return _header(_head(payload)[1])


def _check_length(payload: bytes, limits: Limits) -> None:
    if len(payload) > limits.payload_bytes:
        raise TooLargeError(f"expected at most {limits.payload_bytes} bytes, got {len(payload)}")


def _head(payload: bytes) -> tuple[int, pb.Header, int]:
    """The schema, the header, and where what is behind it begins."""
    if payload[:4] != MAGIC:
        wanted, found = MAGIC.hex(" "), payload[:4].hex(" ")
        raise NotABatchError(f"expected a payload that begins with {MAGIC.decode()} ({wanted}), got {found}")
    if len(payload) < _HEAD.size:
        raise TruncatedError(f"expected at least {_HEAD.size} bytes, got {len(payload)}")
    _, schema, length = _HEAD.unpack_from(payload)
    end = _HEAD.size + length
    if len(payload) < end:
        raise TruncatedError(f"expected a header of {length} bytes, got {len(payload) - _HEAD.size}")
    try:
        message = pb.Header.FromString(payload[_HEAD.size : end])
    except DecodeError as error:
        raise NotABatchError(f"not the header of a batch: {error}") from error
    return schema, _checked(message), end


def _checked(message: _Head) -> _Head:
    if message.batch_class not in _CLASSES:
        raise UnknownSchemaError(f"expected a batch class from 1 to 6, got {message.batch_class}")
    if message.sequence < 1 or message.floor > message.sequence or message.sequence >= 1 << 63:
        raise NotABatchError(
            f"expected a sequence from 1 and a floor up to it, got {message.sequence} and {message.floor}"
        )
    if len(message.table_hash) != 32:
        raise NotABatchError(f"expected a table hash of 32 bytes, got {len(message.table_hash)}")
    return message


def _header(message: pb.Header | pb.Batch) -> Header:
    return Header(
        batch_class=_CLASSES[message.batch_class],
        epoch=message.epoch,
        sequence=message.sequence,
        floor=message.floor,
        table_hash=message.table_hash,
        backlog=message.backlog,
    )


def _batch(
    head: pb.Header | pb.Batch, series: Sequence[Series], message: pb.Body | pb.Batch, limits: Limits
) -> Batch:
    rows, events = message.rows, message.events
    captures = message.captures if isinstance(message, pb.Body) else ()
    parts = len(series) + len(rows) + len(events) + len(captures)
    if parts > limits.parts:
        raise TooManyPartsError(f"expected at most {limits.parts} series, rows and events, got {parts}")
    if captures and (claimed := sum(len(item.values) // 4 for item in captures)) > limits.values:
        raise TooLargeError(f"expected at most {limits.values} values in captures, got {claimed}")
    if rows and (claimed := sum(len(item.values) // 4 for item in rows)) > limits.values:
        raise TooLargeError(f"expected at most {limits.values} values in rows, got {claimed}")
    if events:
        check_evidence(events, limits)
    return Batch(
        batch_class=_CLASSES[head.batch_class],
        epoch=head.epoch,
        sequence=head.sequence,
        floor=head.floor,
        table_hash=head.table_hash,
        backlog=head.backlog,
        series=series,
        rows=tuple(map(columns.to_rows, rows)),
        events=tuple(map(from_message, events)),
        captures=tuple(map(columns.to_capture, captures)),
    )
