"""The bytes of a batch: protobuf around little-endian columns, inside one zstd frame.

Decoding maps columns and never loops over samples. It vouches for the shape of
what came (lengths agree, sizes are within limits) and not for its sense: whether
a value is finite or a time plausible is judged series by series at the hub, so
that one bad series does not cost its neighbours.
"""

import threading
from dataclasses import dataclass

import zstandard
from google.protobuf.message import DecodeError, EncodeError

from wire import batch_pb2 as pb
from wire import columns, events
from wire.batch import Batch, BatchClass, Header
from wire.errors import MessageError, NotABatchError, TooLargeError, TruncatedError, UnknownSchemaError

SCHEMA = 1
ZSTD_LEVEL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most one batch may claim, checked before anything is unpacked."""

    payload_bytes: int = 4 << 20
    plain_bytes: int = 32 << 20
    values: int = 2_000_000


class _Contexts(threading.local):
    """zstd's working memory, kept by each thread: a fresh one costs as much as packing a batch."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def encode(batch: Batch) -> bytes:
    """The bytes of ``batch``; equal batches give equal bytes."""
    message = pb.Batch(
        schema=SCHEMA,
        batch_class=f"BATCH_CLASS_{batch.batch_class.name}",
        epoch=batch.epoch,
        sequence=batch.sequence,
        floor=batch.floor,
        table_hash=batch.table_hash,
        backlog=batch.backlog,
        series=columns.from_series(batch.series),
        rows=[columns.from_rows(rows) for rows in batch.rows],
        events=[events.to_message(event) for event in batch.events],
    )
    try:
        plain = message.SerializeToString(deterministic=True)
    except EncodeError as error:
        raise MessageError(f"batch {batch.sequence} cannot be written: {error}") from error
    return _contexts.compressor.compress(plain)


def decode(payload: bytes, *, limits: Limits = Limits()) -> Batch:
    """The batch in ``payload``, or a ``MessageError`` that says by its name what is wrong.

    ``limits`` are enforced from the frame's header, before memory is taken.
    """
    message = _parse(payload, limits)
    batch_header = _header(message)
    _check_size(message, limits)
    return Batch(
        batch_class=batch_header.batch_class,
        epoch=batch_header.epoch,
        sequence=batch_header.sequence,
        floor=batch_header.floor,
        table_hash=batch_header.table_hash,
        backlog=batch_header.backlog,
        series=tuple(columns.to_series(item) for item in message.series),
        rows=tuple(columns.to_rows(item) for item in message.rows),
        events=tuple(events.from_message(item) for item in message.events),
    )


def header(payload: bytes, *, limits: Limits = Limits()) -> Header:
    """What the batch says of itself; its columns are not looked at."""
    return _header(_parse(payload, limits))


def _parse(payload: bytes, limits: Limits) -> pb.Batch:
    if len(payload) > limits.payload_bytes:
        raise TooLargeError(f"expected at most {limits.payload_bytes} bytes, got {len(payload)}")
    try:
        size = zstandard.frame_content_size(payload)
    except zstandard.ZstdError as error:
        raise NotABatchError(f"not a zstd frame: {error}") from error
    if size < 0:
        raise NotABatchError("expected a zstd frame that states its size")
    if size > limits.plain_bytes:
        raise TooLargeError(f"expected at most {limits.plain_bytes} bytes unpacked, got {size}")
    try:
        plain = _contexts.decompressor.decompress(payload, max_output_size=limits.plain_bytes)
    except zstandard.ZstdError as error:
        raise TruncatedError(f"zstd frame of {size} bytes is damaged or cut short: {error}") from error
    try:
        message = pb.Batch.FromString(plain)
    except DecodeError as error:
        raise NotABatchError(f"not a batch: {error}") from error
    if message.schema != SCHEMA:
        raise UnknownSchemaError(f"expected batch schema {SCHEMA}, got {message.schema}")
    return message


def _header(message: pb.Batch) -> Header:
    if message.batch_class not in _CLASSES:
        raise UnknownSchemaError(f"expected a batch class from 1 to 6, got {message.batch_class}")
    if message.sequence < 1 or message.floor > message.sequence or message.sequence >= 1 << 63:
        raise NotABatchError(
            f"expected a sequence from 1 and a floor up to it, got {message.sequence} and {message.floor}"
        )
    if len(message.table_hash) != 32:
        raise NotABatchError(f"expected a table hash of 32 bytes, got {len(message.table_hash)}")
    return Header(
        batch_class=_CLASSES[message.batch_class],
        epoch=message.epoch,
        sequence=message.sequence,
        floor=message.floor,
        table_hash=message.table_hash,
        backlog=message.backlog,
    )


_CLASSES = {pb.BatchClass.Value(f"BATCH_CLASS_{item.name}"): item for item in BatchClass}


def _check_size(message: pb.Batch, limits: Limits) -> None:
    claimed = sum(series.count for series in message.series)
    claimed += sum(len(rows.values) // 4 for rows in message.rows)
    if claimed > limits.values:
        raise TooLargeError(f"expected at most {limits.values} values, got {claimed}")
