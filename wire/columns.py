"""Columns of numbers in messages: mapped and never looped over, each as long as what it describes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wire import batch_pb2 as pb
from wire.batch import Capture, Rows
from wire.errors import ColumnMismatchError, MessageError

UINT8, UINT32 = np.dtype("u1"), np.dtype("<u4")
INT32, INT64 = np.dtype("<i4"), np.dtype("<i8")
FLOAT32, FLOAT64 = np.dtype("<f4"), np.dtype("<f8")


def column(data: bytes, dtype: np.dtype[Any], count: int, owner: str) -> npt.NDArray[Any]:
    """``data`` as ``count`` numbers, read-only; ``ColumnMismatchError`` where it is not that long."""
    expected = count * dtype.itemsize
    if len(data) != expected:
        raise ColumnMismatchError(f"{owner}: expected a column of {expected} bytes, got {len(data)}")
    return np.frombuffer(data, dtype)


def from_rows(rows: Rows) -> pb.Rows:
    times = np.ascontiguousarray(rows.times, dtype=INT64)
    values = np.ascontiguousarray(rows.values, dtype=FLOAT32)
    if values.ndim != 2 or len(times) != len(values):
        raise ColumnMismatchError(
            f"{rows.source}: expected a row of values a time, got {values.shape} and {times.shape}"
        )
    return pb.Rows(
        machine=rows.machine,
        source=rows.source,
        width=values.shape[1],
        times=times.tobytes(),
        values=values.tobytes(),
    )


def to_rows(message: pb.Rows) -> Rows:
    count, odd = divmod(len(message.times), 8)
    if odd:
        raise ColumnMismatchError(
            f"{message.source}: expected times of 8 bytes, got {len(message.times)} bytes"
        )
    values = column(message.values, FLOAT32, count * message.width, message.source)
    return Rows(
        machine=message.machine,
        source=message.source,
        times=np.frombuffer(message.times, INT64),
        values=values.reshape(count, message.width),
    )


def from_capture(capture: Capture) -> pb.Capture:
    values = np.ascontiguousarray(capture.values, dtype=FLOAT32)
    if values.ndim != 1:
        raise ColumnMismatchError(f"signal {capture.signal}: expected a window of values, got {values.shape}")
    try:
        return pb.Capture(
            signal=capture.signal,
            time_us=capture.time_us,
            rate_hz=capture.rate_hz,
            values=values.tobytes(),
            why=capture.why,
            command=capture.command,
        )
    except ValueError as error:
        raise MessageError(f"a capture cannot be written: {error}") from error


def to_capture(message: pb.Capture) -> Capture:
    count, odd = divmod(len(message.values), 4)
    if odd:
        raise ColumnMismatchError(
            f"signal {message.signal}: expected values of 4 bytes, got {len(message.values)} bytes"
        )
    return Capture(
        signal=message.signal,
        time_us=message.time_us,
        rate_hz=message.rate_hz,
        values=column(message.values, FLOAT32, count, f"signal {message.signal}"),
        why=message.why,
        command=message.command,
    )
