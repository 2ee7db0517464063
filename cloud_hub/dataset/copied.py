"""Feature rows out of PostgreSQL's binary COPY stream into NumPy, never number by number.

Rows of one width have one length in that stream, so a block of them is one structured
array. Format: "Binary Format" under COPY in PostgreSQL's manual; an array field is its
dimensions, its element type and its elements, each with a length of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from models.examples import Floats

HEADER = 19  # bytes: signature, flags, no extension
TRAILER = b"\xff\xff"
BLOCK = 1 << 22  # bytes that are parsed at once

_PG_EPOCH_US = 946_684_800_000_000  # 2000-01-01, where PostgreSQL's time starts
COLUMNS = ("machine", "times", "device", "epoch", "sequence")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Feature rows as they are stored, in any order; all columns have the same length n."""

    machine: NDArray[np.int32]  # ids of the store
    times: NDArray[np.int64]  # UTC microseconds
    device: NDArray[np.int32]
    epoch: NDArray[np.int64]
    sequence: NDArray[np.int64]
    features: Floats  # [n, width]

    def __len__(self) -> int:
        return len(self.times)


def parse(stream: Iterable[bytes | bytearray | memoryview], *, width: int, rows: int) -> Rows:
    """The rows (machine, time, device, epoch, sequence, values[width]) of ``stream``, ``rows`` at the most.

    DatasetError where a row has another length: a NULL among its values.
    """
    kind = _row_type(width)
    found = Rows(
        machine=np.empty(rows, np.int32),
        times=np.empty(rows, np.int64),
        device=np.empty(rows, np.int32),
        epoch=np.empty(rows, np.int64),
        sequence=np.empty(rows, np.int64),
        features=np.empty((rows, width), np.float32),
    )
    filled = 0
    for block in _blocks(stream, kind.itemsize):
        part = np.frombuffer(block, kind)
        if not ((part["fields"] == 6).all() and (part["count"] == width).all()):
            raise DatasetError(f"expected {width} numbers in every feature row, got one without: a NULL")
        place = slice(filled, filled + len(part))
        found.times[place] = part["times"] + np.int64(_PG_EPOCH_US)
        for name in ("machine", "device", "epoch", "sequence"):
            getattr(found, name)[place] = part[name]
        found.features[place] = part["values"]["value"]
        filled += len(part)
    return Rows(**{name: getattr(found, name)[:filled] for name in (*COLUMNS, "features")})


def _blocks(stream: Iterable[bytes | bytearray | memoryview], size: int) -> Iterator[memoryview]:
    """Whole rows of ``size`` bytes, many at a time."""
    buffer, most, skip = bytearray(), max(BLOCK // size, 1) * size, HEADER
    for piece in stream:
        buffer += piece
        if skip and len(buffer) >= skip:
            del buffer[:skip]
            skip = 0
        if not skip and len(buffer) >= most:
            whole = len(buffer) // size * size
            yield memoryview(bytes(buffer[:whole]))
            del buffer[:whole]
    if bytes(buffer[-2:]) != TRAILER or (len(buffer) - 2) % size:
        raise DatasetError(f"expected feature rows of {size} bytes each, got {len(buffer)} bytes at the end")
    if len(buffer) > 2:
        yield memoryview(bytes(buffer[:-2]))


def _row_type(width: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("fields", ">i2"),
            ("machine_length", ">i4"), ("machine", ">i4"),
            ("times_length", ">i4"), ("times", ">i8"),
            ("device_length", ">i4"), ("device", ">i4"),
            ("epoch_length", ">i4"), ("epoch", ">i8"),
            ("sequence_length", ">i4"), ("sequence", ">i8"),
            ("values_length", ">i4"),
            ("dimensions", ">i4"), ("has_null", ">i4"), ("element", ">i4"),
            ("count", ">i4"), ("first", ">i4"),
            ("values", [("length", ">i4"), ("value", ">f4")], (width,)),
        ]
    )  # fmt: skip
