"""The samples of a batch as a message, and back: all series at once, a few calls however many they are."""

import struct
from collections.abc import Sequence

import numpy as np

from wire import batch_pb2 as pb
from wire import decimals, times
from wire.batch import SampleColumns, Series, Times, Values
from wire.columns import FLOAT32, FLOAT64, INT32, INT64, UINT8, UINT32, column
from wire.errors import MessageError, TooLargeError, TooManyPartsError
from wire.frame import Limits

_INT64, _UINT32 = struct.Struct("<q"), struct.Struct("<I")
_EXACT = bytes([decimals.EXACT])


def to_message(series: Sequence[Series], message: pb.Samples) -> None:
    """Fill ``message``; ``ColumnMismatchError`` where a series has not one value a time."""
    try:
        if not _write_together(message, series):
            _write(message, SampleColumns.of(series))
    except struct.error as error:
        raise MessageError(f"expected signals from 0 to 2**32 - 1: {error}") from error


def _write_together(message: pb.Samples, series: Sequence[Series]) -> bool:
    """What ``_write`` would write, at half its price, if all have the very same column of times.

    So have the signals of one machine, which are read together.
    """
    many = len(series)
    if isinstance(series, SampleColumns) and many > 1:
        return False
    axis, columns = series[0].times, [item.values for item in series]
    shape, count = axis.shape, axis.size
    if shape != (count,) or not count or [item.shape for item in columns] != [shape] * many:
        return False
    if len({id(item.times) for item in series}) > 1:
        return False
    message.signals = struct.pack(f"<{many}I", *[item.signal for item in series])
    message.counts = _UINT32.pack(count) * many
    if (step := times.step_of(axis)) is None:
        _write_times(message, times.written(axis.astype(np.int64, copy=False), np.array([count])), many)
    else:
        message.starts = _INT64.pack(axis[0]) * many
        message.steps = _INT64.pack(step) * many
        message.time_forms = bytes(many)
    values = np.concatenate(columns, dtype=np.float64)
    _write_values(message, decimals.written(values, count))
    return True


def _write(message: pb.Samples, columns: SampleColumns) -> None:
    counts = np.diff(columns.offsets)
    message.signals = struct.pack(f"<{len(columns)}I", *columns.signals.tolist())
    message.counts = counts.astype(UINT32).tobytes()
    _write_times(message, times.written(columns.times, counts), 1)
    _write_values(message, decimals.written(columns.values, counts))


def _write_times(message: pb.Samples, columns: times.TimeColumns, many: int) -> None:
    """``columns``, so many times over."""
    message.starts = columns.starts.astype(INT64, copy=False).tobytes() * many
    message.steps = columns.steps.astype(INT64, copy=False).tobytes() * many
    message.time_forms = columns.forms.tobytes() * many
    message.time_deltas = columns.differences.astype(INT32, copy=False).tobytes() * many
    message.times = columns.whole.astype(INT64, copy=False).tobytes() * many


def _write_values(message: pb.Samples, columns: decimals.ValueColumns) -> None:
    message.value_forms = columns.forms.tobytes()
    if columns.mantissas.size:
        message.mantissas = columns.mantissas.astype(INT32, copy=False).tobytes()
    if columns.short.size:
        message.float32_values = columns.short.astype(FLOAT32, copy=False).tobytes()
    if columns.exact.size:
        message.float64_values = columns.exact.astype(FLOAT64, copy=False).tobytes()


def from_message(message: pb.Samples, limits: Limits) -> SampleColumns:
    """The columns, or a ``MessageError``; samples are made once their number is allowed."""
    many = len(message.value_forms)
    if many > limits.parts:
        raise TooManyPartsError(f"expected at most {limits.parts} series, got {many}")
    signals = column(message.signals, UINT32, many, "signals").astype(np.int64)
    together = _together(message, many)
    if together is not None:
        start, step, count = together
        _allow(count * many, limits)
        return SampleColumns(
            signals=signals,
            offsets=np.arange(0, count * many + 1, count) if count else np.zeros(many + 1, np.int64),
            times=times.read_together(start, step, count, many),
            values=_values(message, count, count * many),
        )
    counts = column(message.counts, UINT32, many, "counts").astype(np.int64)
    offsets = np.zeros(many + 1, np.int64)
    counts.cumsum(out=offsets[1:])
    _allow(int(offsets[-1]), limits)
    return SampleColumns(
        signals=signals,
        offsets=offsets,
        times=_times(message, counts),
        values=_values(message, counts, int(offsets[-1])),
    )


def _allow(total: int, limits: Limits) -> None:
    if total > limits.values:
        raise TooLargeError(f"expected at most {limits.values} values, got {total}")


def _together(message: pb.Samples, many: int) -> tuple[int, int, int] | None:
    """Start, step and count where all series have the same: bytes are quicker asked than arrays."""
    counts, starts, steps = message.counts, message.starts, message.steps
    if (
        many
        and len(counts) == 4 * many
        and len(starts) == len(steps) == 8 * many
        and counts == counts[:4] * many
        and starts == starts[:8] * many
        and steps == steps[:8] * many
        and message.time_forms == bytes(many)
        and not (message.time_deltas or message.times)
    ):
        return *_INT64.unpack_from(starts), *_INT64.unpack_from(steps), *_UINT32.unpack_from(counts)
    return None


def _times(message: pb.Samples, counts: Times) -> Times:
    many = len(counts)
    forms = column(message.time_forms, UINT8, many, "time_forms")
    differences, whole = (int(counts[forms == form].sum()) for form in (times.DIFFERENCES, times.WHOLE))
    columns = times.TimeColumns(
        starts=column(message.starts, INT64, many, "starts"),
        steps=column(message.steps, INT64, many, "steps"),
        forms=forms,
        differences=column(message.time_deltas, INT32, differences, "time_deltas"),
        whole=column(message.times, INT64, whole, "times"),
    )
    return times.read(columns, counts)


def _values(message: pb.Samples, counts: Times | int, total: int) -> Values:
    written = message.value_forms
    forms = np.frombuffer(written, UINT8)
    mantissas, short, exact = message.mantissas, message.float32_values, message.float64_values
    if not (short or exact or written.translate(None, decimals.DECIMAL_FORMS)):
        values: Values = column(mantissas, INT32, total, "mantissas").astype(np.float64)
        values /= decimals.DIVISORS.take(forms).repeat(counts)
        return values
    if not (mantissas or short or written.strip(_EXACT)):
        return column(exact, FLOAT64, total, "float64_values")
    decimals.check_forms(forms)
    counts = np.broadcast_to(counts, forms.shape)
    lengths = [
        int(counts[which].sum())
        for which in (forms < decimals.SHORT, forms == decimals.SHORT, forms == decimals.EXACT)
    ]
    columns = decimals.ValueColumns(
        forms=forms,
        mantissas=column(mantissas, INT32, lengths[0], "mantissas"),
        short=column(short, FLOAT32, lengths[1], "float32_values"),
        exact=column(exact, FLOAT64, lengths[2], "float64_values"),
    )
    return decimals.read(columns, counts)
