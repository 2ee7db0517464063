"""Columns of numbers as protobuf messages, and back without looping over them."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from wire import batch_pb2 as pb
from wire.batch import Features, Rows, Series, Times, Values
from wire.errors import ColumnMismatchError

INT64, FLOAT32, FLOAT64 = np.dtype("<i8"), np.dtype("<f4"), np.dtype("<f8")
_NO_STEP = bytes(8)  # the first time of a column has none before it

Flags = npt.NDArray[np.bool_]


def from_series(series: Sequence[Series]) -> list[pb.Series]:
    """A message a series.

    What can be asked of all columns at once is asked once: a batch has many short ones, and a
    call of NumPy costs more than a short column.
    """
    columns = [_checked(item) for item in series]
    ends = list(accumulate(len(times) for times, _ in columns))
    if not ends or not ends[-1]:
        return [pb.Series(signal=item.signal) for item in series]
    times = np.concatenate([times for times, _ in columns])
    values = np.concatenate([values for _, values in columns])
    steps, changes = _steps(times, ends)
    short, exact = _shortened(values)
    short_bytes, value_bytes = short.tobytes(), values.tobytes()
    messages, first = [], 0
    for item, end in zip(series, ends, strict=True):
        message = pb.Series(signal=item.signal, count=end - first)
        if end > first:
            message.start_us = int(times[first])
            step = int(steps[first]) if end - first > 1 else 0
            if step >= 0 and (changes is None or not changes[first : max(end - 2, first)].any()):
                message.step_us = step
            else:
                message.deltas = _NO_STEP + steps[first : end - 1].tobytes()
            if exact is None or (exact[first] and exact[first:end].all()):
                message.float32_values = short_bytes[4 * first : 4 * end]
            else:
                message.float64_values = value_bytes[8 * first : 8 * end]
        messages.append(message)
        first = end
    return messages


def to_series(message: pb.Series) -> Series:
    signal, count = message.signal, message.count
    short, exact, deltas = message.float32_values, message.float64_values, message.deltas
    if short and exact:
        raise ColumnMismatchError(f"signal {signal}: expected one column of values, got two")
    values: Values
    if short:
        values = _column(short, FLOAT32, count, signal).astype(np.float64)
    else:
        values = _column(exact, FLOAT64, count, signal)
    if deltas:
        times = message.start_us + np.cumsum(_column(deltas, INT64, count, signal), dtype=np.int64)
    else:
        step = message.step_us
        if step < 0:
            raise ColumnMismatchError(f"signal {signal}: expected a step of 0 or more, got {step}")
        times = np.arange(count, dtype=np.int64)
        times *= step
        times += message.start_us
    return Series(signal=signal, times=times, values=values)


def _checked(series: Series) -> tuple[Times, Values]:
    times = np.ascontiguousarray(series.times, dtype=INT64)
    values = np.ascontiguousarray(series.values, dtype=FLOAT64)
    if times.ndim != 1 or times.shape != values.shape:
        raise ColumnMismatchError(
            f"signal {series.signal}: expected as many times as values, got {times.shape} and {values.shape}"
        )
    return times, values


def _steps(times: Times, ends: Sequence[int]) -> tuple[Times, Flags | None]:
    """From each time to the next, and where that changes; None if it does in no column.

    The step from one column to the next means nothing: no change is counted there.
    """
    steps = times[1:] - times[:-1]
    changes = steps[1:] != steps[:-1]
    for end in ends[:-1]:
        changes[max(end - 2, 0) : end] = False
    return steps, changes if changes.any() else None


def _shortened(values: Values) -> tuple[Features, Flags | None]:
    """``values`` as float32, and which of them survive that; None if all do."""
    with np.errstate(over="ignore"):
        short = values.astype(FLOAT32)
    exact = short == values
    if not exact.all():
        exact |= np.isnan(values)
    return short, None if exact.all() else exact


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
    values = _column(message.values, FLOAT32, count * message.width, message.source)
    return Rows(
        machine=message.machine,
        source=message.source,
        times=np.frombuffer(message.times, INT64),
        values=values.reshape(count, message.width),
    )


def _column(column: bytes, dtype: np.dtype[Any], count: int, owner: int | str) -> npt.NDArray[Any]:
    expected = count * dtype.itemsize
    if len(column) != expected:
        name = owner if isinstance(owner, str) else f"signal {owner}"
        raise ColumnMismatchError(f"{name}: expected a column of {expected} bytes, got {len(column)}")
    return np.frombuffer(column, dtype)
