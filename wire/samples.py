"""The samples of a batch as a message, and back: all series at once, a few calls however many they are."""

from collections.abc import Sequence

import numpy as np

from wire import batch_pb2 as pb
from wire import decimals, times
from wire.batch import SampleColumns, Series, Times
from wire.columns import FLOAT32, FLOAT64, INT32, INT64, UINT8, UINT32, column
from wire.errors import MessageError, TooLargeError, TooManyPartsError
from wire.frame import Limits


def to_message(series: Sequence[Series]) -> pb.Samples:
    columns = SampleColumns.of(series)
    counts = columns.offsets[1:] - columns.offsets[:-1]
    when = times.written(columns.times, counts)
    what = decimals.written(columns.values, counts)
    if len(columns) and (columns.signals.min() < 0 or columns.signals.max() >= 1 << 32):
        raise MessageError(f"expected signals from 0 to 2**32 - 1, got {columns.signals}")
    return pb.Samples(
        signals=columns.signals.astype(UINT32).tobytes(),
        counts=counts.astype(UINT32).tobytes(),
        starts=when.starts.astype(INT64, copy=False).tobytes(),
        steps=when.steps.astype(INT64, copy=False).tobytes(),
        time_forms=when.forms.tobytes(),
        value_forms=what.forms.tobytes(),
        time_deltas=when.differences.astype(INT32, copy=False).tobytes(),
        times=when.whole.astype(INT64, copy=False).tobytes(),
        mantissas=what.mantissas.astype(INT32, copy=False).tobytes(),
        float32_values=what.short.astype(FLOAT32, copy=False).tobytes(),
        float64_values=what.exact.astype(FLOAT64, copy=False).tobytes(),
    )


def from_message(message: pb.Samples, limits: Limits) -> SampleColumns:
    """The columns, or a ``MessageError``; samples are made once their number is allowed."""
    many = len(message.value_forms)
    if many > limits.parts:
        raise TooManyPartsError(f"expected at most {limits.parts} series, got {many}")
    signals = column(message.signals, UINT32, many, "signals").astype(np.int64)
    counts = column(message.counts, UINT32, many, "counts").astype(np.int64)
    offsets = np.zeros(many + 1, np.int64)
    counts.cumsum(out=offsets[1:])
    if offsets[-1] > limits.values:
        raise TooLargeError(f"expected at most {limits.values} values, got {offsets[-1]}")
    return SampleColumns(
        signals=signals,
        offsets=offsets,
        times=times.read(_times(message, counts), counts),
        values=decimals.read(_values(message, counts), counts),
    )


def _times(message: pb.Samples, counts: Times) -> times.TimeColumns:
    forms = column(message.time_forms, UINT8, len(counts), "time_forms")
    return times.TimeColumns(
        starts=column(message.starts, INT64, len(counts), "starts"),
        steps=column(message.steps, INT64, len(counts), "steps"),
        forms=forms,
        differences=column(
            message.time_deltas, INT32, counts[forms == times.DIFFERENCES].sum(), "time_deltas"
        ),
        whole=column(message.times, INT64, counts[forms == times.WHOLE].sum(), "times"),
    )


def _values(message: pb.Samples, counts: Times) -> decimals.ValueColumns:
    forms = column(message.value_forms, UINT8, len(counts), "value_forms")
    decimals.check_forms(forms)
    decimal, short, exact = (
        int(counts[which].sum())
        for which in (forms < decimals.SHORT, forms == decimals.SHORT, forms == decimals.EXACT)
    )
    return decimals.ValueColumns(
        forms=forms,
        mantissas=column(message.mantissas, INT32, decimal, "mantissas"),
        short=column(message.float32_values, FLOAT32, short, "float32_values"),
        exact=column(message.float64_values, FLOAT64, exact, "float64_values"),
    )
