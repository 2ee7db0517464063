"""Batches of schema 1, which devices may still hold in their outboxes: read, never written.

The whole message was one zstd frame, its samples a message a series.
"""

import numpy as np
from google.protobuf.message import DecodeError

from wire import batch_pb2 as pb
from wire.batch import Series, Values
from wire.columns import FLOAT32, FLOAT64, INT64, column
from wire.errors import (
    ColumnMismatchError,
    NegativeStepError,
    NotABatchError,
    TimeOverflowError,
    TooLargeError,
    UnknownSchemaError,
)
from wire.frame import Limits, check_parts, unpack
from wire.times import LATEST

SCHEMA = 1


def parse(payload: bytes, limits: Limits) -> pb.Batch:
    """The message in ``payload``; its columns are not looked at yet."""
    plain = unpack(payload, limits)
    check_parts(plain, limits)
    try:
        message = pb.Batch.FromString(plain)
    except DecodeError as error:
        raise NotABatchError(f"not a batch: {error}") from error
    if message.schema != SCHEMA:
        raise UnknownSchemaError(f"expected batch schema {SCHEMA}, got {message.schema}")
    return message


def to_series(message: pb.Batch, limits: Limits) -> tuple[Series, ...]:
    claimed = sum(item.count for item in message.series)
    if claimed > limits.values:
        raise TooLargeError(f"expected at most {limits.values} values, got {claimed}")
    return tuple(map(_series, message.series))


def _series(message: pb.Series) -> Series:
    owner, count = f"signal {message.signal}", message.count
    short, exact, deltas = message.float32_values, message.float64_values, message.deltas
    if short and exact:
        raise ColumnMismatchError(f"{owner}: expected one column of values, got two")
    values: Values
    if short:
        values = column(short, FLOAT32, count, owner).astype(np.float64)
    else:
        values = column(exact, FLOAT64, count, owner)
    if deltas:
        times = message.start_us + np.cumsum(column(deltas, INT64, count, owner), dtype=np.int64)
    else:
        step = message.step_us
        if step < 0:
            raise NegativeStepError(f"{owner}: expected a step of 0 or more, got {step}")
        if message.start_us + step * max(count - 1, 0) > LATEST:
            raise TimeOverflowError(f"{owner}: {count} steps of {step} from {message.start_us} us")
        times = np.arange(count, dtype=np.int64)
        times *= step
        times += message.start_us
    return Series(signal=message.signal, times=times, values=values)
