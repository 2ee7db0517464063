"""Rows as PostgreSQL's binary COPY stream, made by NumPy as one structured array, never row by row.

Format: "Binary Format" under COPY in PostgreSQL's manual. Every field is a
big-endian length and its bytes; an array field is its dimensions, its element
type and its elements, each with a length again.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # signature, no flags, no header extension
TRAILER = b"\xff\xff"

_PG_EPOCH_US = 946_684_800_000_000  # 2000-01-01, where PostgreSQL's time starts
_FLOAT4_OID = 700


def moment(time_us: int) -> bytes:
    """A time in microseconds since 1970 as a field."""
    return (time_us - _PG_EPOCH_US).to_bytes(8, signed=True)


_SAMPLE = np.dtype(
    [
        ("fields", ">i2"),
        ("time_length", ">i4"), ("time", ">i8"),
        ("signal_length", ">i4"), ("signal", ">i4"),
        ("value_length", ">i4"), ("value", ">f8"),
    ]
)  # fmt: skip
_SAMPLE_ROW = np.array((3, 8, 0, 4, 0, 8, 0.0), _SAMPLE)  # what every row has in common
_BLOCK_ROWS = 8192


def samples(
    times: npt.NDArray[np.int64], signals: npt.NDArray[np.int32], values: npt.NDArray[np.float64]
) -> Iterator[memoryview]:
    """The rows (time, signal, value), without header and trailer; times in microseconds since 1970.

    In blocks, so that the server stores one while the next is made; all in the same memory, so use each
    before the next.
    """
    block = np.full(min(len(times), _BLOCK_ROWS), _SAMPLE_ROW)
    for first in range(0, len(times), _BLOCK_ROWS):
        cut = slice(first, first + _BLOCK_ROWS)
        rows = block[: len(times[cut])]
        rows["time"] = times[cut] - _PG_EPOCH_US
        rows["signal"] = signals[cut]
        rows["value"] = values[cut]
        yield rows.view(np.uint8).data


def windows(
    times: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
    *,
    machine: int,
    device: int,
    epoch: int,
    sequence: int,
    source: str,
) -> bytes:
    """The rows (time, machine, device, epoch, sequence, source, values) of one block, likewise.

    ``values`` is [n, width]; ``epoch`` is signed.
    """
    name = source.encode()
    rows = np.empty(len(times), _window_type(values.shape[1], len(name)))
    rows["fields"] = 7
    rows["time_length"], rows["time"] = 8, times - _PG_EPOCH_US
    rows["machine_length"], rows["machine"] = 4, machine
    rows["device_length"], rows["device"] = 4, device
    rows["epoch_length"], rows["epoch"] = 8, epoch
    rows["sequence_length"], rows["sequence"] = 8, sequence
    rows["source_length"], rows["source"] = len(name), name
    rows["values_length"] = 20 + 8 * values.shape[1]
    rows["dimensions"], rows["has_null"], rows["element"] = 1, 0, _FLOAT4_OID
    rows["count"], rows["first"] = values.shape[1], 1
    rows["values"]["length"], rows["values"]["value"] = 4, values
    return rows.tobytes()


def _window_type(width: int, name_length: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("fields", ">i2"),
            ("time_length", ">i4"), ("time", ">i8"),
            ("machine_length", ">i4"), ("machine", ">i4"),
            ("device_length", ">i4"), ("device", ">i4"),
            ("epoch_length", ">i4"), ("epoch", ">i8"),
            ("sequence_length", ">i4"), ("sequence", ">i8"),
            ("source_length", ">i4"), ("source", f"S{name_length}"),
            ("values_length", ">i4"),
            ("dimensions", ">i4"), ("has_null", ">i4"), ("element", ">i4"),
            ("count", ">i4"), ("first", ">i4"),
            ("values", [("length", ">i4"), ("value", ">f4")], (width,)),
        ]
    )  # fmt: skip
