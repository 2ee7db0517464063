"""Columns of numbers as protobuf messages, and back without looping over them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wire import batch_pb2 as pb
from wire.batch import Rows, Series, Values
from wire.errors import ColumnMismatchError


def from_series(series: Series) -> pb.Series:
    times = np.ascontiguousarray(series.times, dtype="<i8")
    values = np.ascontiguousarray(series.values, dtype="<f8")
    if times.ndim != 1 or times.shape != values.shape:
        raise ColumnMismatchError(
            f"signal {series.signal}: expected as many times as values, got {times.shape} and {values.shape}"
        )
    message = pb.Series(signal=series.signal, count=len(times))
    if len(times):
        deltas = np.diff(times, prepend=times[:1])
        message.start_us = int(times[0])
        step = int(deltas[1]) if len(deltas) > 1 else 0
        if np.all(deltas[1:] == step):
            message.step_us = step
        else:
            message.deltas = deltas.astype("<i8").tobytes()
    with np.errstate(over="ignore"):
        short = values.astype("<f4")
    if np.array_equal(short.astype("<f8"), values, equal_nan=True):
        message.float32_values = short.tobytes()
    else:
        message.float64_values = values.tobytes()
    return message


def to_series(message: pb.Series) -> Series:
    name = f"signal {message.signal}"
    if message.float32_values and message.float64_values:
        raise ColumnMismatchError(f"{name}: expected one column of values, got two")
    values: Values
    if message.float32_values:
        values = _column(message.float32_values, "<f4", message.count, name).astype(np.float64)
    else:
        values = _column(message.float64_values, "<f8", message.count, name)
    if message.deltas:
        deltas = _column(message.deltas, "<i8", message.count, name)
        times = message.start_us + np.cumsum(deltas, dtype=np.int64)
    else:
        if message.step_us < 0:
            raise ColumnMismatchError(f"{name}: expected a step of 0 or more, got {message.step_us}")
        times = message.start_us + np.arange(message.count, dtype=np.int64) * message.step_us
    return Series(signal=message.signal, times=times, values=values)


def from_rows(rows: Rows) -> pb.Rows:
    times = np.ascontiguousarray(rows.times, dtype="<i8")
    values = np.ascontiguousarray(rows.values, dtype="<f4")
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
    values = _column(message.values, "<f4", count * message.width, message.source)
    return Rows(
        machine=message.machine,
        source=message.source,
        times=np.frombuffer(message.times, "<i8"),
        values=values.reshape(count, message.width),
    )


def _column(column: bytes, dtype: str, count: int, name: str) -> npt.NDArray[Any]:
    expected = count * np.dtype(dtype).itemsize
    if len(column) != expected:
        raise ColumnMismatchError(f"{name}: expected a column of {expected} bytes, got {len(column)}")
    return np.frombuffer(column, dtype)
