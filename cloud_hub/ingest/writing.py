"""Accepted values into the store, within the caller's transaction: COPY for the many, upserts for the newest.

Every statement touches its rows in the order of their keys, and the statements
follow each other in one order, so that two processes never wait in a circle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from cloud_hub.ingest import arrays, copying
from cloud_hub.ingest.judge import HubRows, Judged
from cloud_hub.ingest.ledger import Key
from cloud_hub.store.database import Connection, load_queries
from wire.batch import BatchClass
from wire.clock import to_datetime

QUERIES = load_queries("cloud_hub.ingest", "writing.sql")
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Storable:
    """What was judged of one batch, with the key it came under."""

    key: Key
    judged: Judged
    machines: npt.NDArray[np.int32]  # the hub's ids by local id, for the events


def write_values(connection: Connection, batches: Sequence[Storable]) -> int:
    """Store samples, features and predictions; returns the number of samples."""
    times = np.concatenate([_NO_TIMES, *(item.judged.times for item in batches)])
    signals = np.concatenate([_NO_IDS, *(item.judged.signals for item in batches)])
    values = np.concatenate([_NO_VALUES, *(item.judged.values for item in batches)])
    if len(times):
        _copy(connection, "copy_samples", copying.samples(times, signals, values))
    rows = [(item.key, rows) for item in batches for rows in item.judged.rows]
    features = [item for item in rows if item[1].batch_class is BatchClass.FEATURE]
    predictions = [item for item in rows if item[1].batch_class is BatchClass.PREDICTION]
    _copy_rows(connection, "copy_features", features)
    _copy_rows(connection, "copy_predictions", predictions)
    if len(times):
        _touch(connection, signals, times)
        _keep_latest(connection, signals, times, values)
    _keep_latest_predictions(connection, [item for _, item in predictions])
    return len(times)


def note_devices(
    connection: Connection, heard: set[int], live: set[int], rejected: dict[int, int], now: datetime
) -> None:
    """Of the devices ``heard`` batches came now, of ``live`` some that were no backlog, of some was rejected.

    Last, for it locks their rows.
    """
    devices = sorted(heard | rejected.keys())
    if not devices:
        return
    connection.execute(QUERIES["lock_devices"], {"devices": devices})
    values = {
        "devices": devices,
        "came": [device in heard for device in devices],
        "live": [device in live for device in devices],
        "rejected": [rejected.get(device, 0) for device in devices],
        "now": now,
    }
    connection.execute(QUERIES["note_devices"], values)


_NO_TIMES = np.empty(0, np.int64)
_NO_IDS = np.empty(0, np.int32)
_NO_VALUES = np.empty(0, np.float64)


def _copy(connection: Connection, query: str, blocks: Iterable[bytes | memoryview]) -> None:
    with connection.cursor() as cursor, cursor.copy(QUERIES[query]) as copy:
        copy.write(copying.HEADER)
        for block in blocks:
            copy.write(block)
        copy.write(copying.TRAILER)


def _copy_rows(connection: Connection, query: str, rows: Sequence[tuple[Key, HubRows]]) -> None:
    if rows:
        blocks = (
            copying.windows(
                item.times, item.values, machine=item.machine, source=item.source, **key._asdict()
            )
            for key, item in rows
        )
        _copy(connection, query, blocks)


def _touch(connection: Connection, signals: npt.NDArray[np.int32], times: npt.NDArray[np.int64]) -> None:
    """Say which hours of which signals have new rows, and since when in them; rollups are made of that."""
    hours = times // _HOUR_US
    starts = _starts(signals, hours)
    earliest = np.minimum.reduceat(times, starts).tolist()
    first: dict[tuple[int, int], int] = {}
    for signal, hour, time in zip(signals[starts].tolist(), hours[starts].tolist(), earliest, strict=True):
        known = first.get((signal, hour))
        first[signal, hour] = time if known is None else min(known, time)
    columns = {
        "signals": arrays.numbers(signal for signal, _ in first),
        "hours": arrays.numbers(hour * _HOUR_US for _, hour in first),
        "earliest": arrays.numbers(first.values()),
    }
    connection.execute(QUERIES["touch"], columns)


def _keep_latest(
    connection: Connection,
    signals: npt.NDArray[np.int32],
    times: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
) -> None:
    last = newest(signals, times)
    columns = {
        "signals": arrays.numbers(signals[last].tolist()),
        "times": arrays.numbers(times[last].tolist()),
        "values": arrays.numbers(values[last].tolist()),
    }
    connection.execute(QUERIES["latest"], columns)


def newest(signals: npt.NDArray[np.int32], times: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Where the newest sample of each signal is, by signal; of equal times the one that came last.

    A batch brings its samples signal by signal, so that what has to be sorted is stretches, not samples.
    """
    starts = _starts(signals, signals)
    tops = np.maximum.reduceat(times, starts)
    order = np.lexsort((starts, tops, signals[starts]))
    chosen = order[np.append(signals[starts[order[1:]]] != signals[starts[order[:-1]]], True)]
    ends = np.append(starts[1:], len(times))
    last: npt.NDArray[np.intp] = ends[chosen] - 1
    for place in np.flatnonzero(times[last] != tops[chosen]):
        stretch = times[starts[chosen[place]] : ends[chosen[place]]]
        last[place] -= int(stretch[::-1].argmax())
    return last


def _starts(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Where a new stretch of equal pairs begins; the columns are not empty."""
    changes = one[1:] != one[:-1]
    if other is not one:
        changes |= other[1:] != other[:-1]
    return np.append(0, np.flatnonzero(changes) + 1)


def _keep_latest_predictions(connection: Connection, predictions: Sequence[HubRows]) -> None:
    newest: dict[tuple[int, str], tuple[int, HubRows, int]] = {}
    for rows in predictions:
        at = int(rows.times.argmax())
        key = (rows.machine, rows.source.rpartition("/")[0])
        if key not in newest or newest[key][0] <= rows.times[at]:
            newest[key] = (int(rows.times[at]), rows, at)
    rows_of: list[dict[str, Any]] = [
        {
            "machine": machine,
            "use_case": use_case,
            "release": rows.source,
            "time": to_datetime(time),
            "values": rows.values[at].tolist(),
        }
        for (machine, use_case), (time, rows, at) in sorted(newest.items(), key=lambda item: item[0])
    ]
    with connection.cursor() as cursor:
        cursor.executemany(QUERIES["latest_prediction"], rows_of)
