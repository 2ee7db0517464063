"""What is wrong with a batch has a name, and is refused before it takes memory."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard

from wire import batch_pb2 as pb
from wire.batch import BatchClass, Header
from wire.codec import MAGIC, decode, header, seal
from wire.errors import (
    ColumnMismatchError,
    DamagedError,
    FalseSizeError,
    MessageError,
    NegativeStepError,
    NotABatchError,
    TimeOverflowError,
    TooLargeError,
    TooManyPartsError,
    TrailingDataError,
    TruncatedError,
    UnknownFormError,
    UnknownSchemaError,
)
from wire.frame import Limits

HEADER = Header(batch_class=BatchClass.SAMPLE, epoch=1, sequence=4, floor=2, table_hash=bytes(32))
LIMITS = Limits()
MOST_MEMORY = 160 << 20  # what any refusal or the largest batch that is allowed may take at its peak
LONG = 2**63 - 1

# Decodes the file it is given; tells the name of the error and how far its memory grew, in bytes.
WATCHED = """
import re, sys
from wire.codec import decode
from wire.errors import MessageError

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10

payload = open(sys.argv[1], "rb").read()
before = peak()
try:
    decode(payload)
    name = "none"
except MessageError as error:
    name = type(error).__name__
print(name, peak() - before)
"""


def compressed(plain: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(plain)


def payload_of(body: pb.Body) -> bytes:
    return seal(HEADER, compressed(body.SerializeToString()))


def u4(*numbers: int) -> bytes:
    return np.array(numbers, "<u4").tobytes()


def i4(*numbers: int) -> bytes:
    return np.array(numbers, "<i4").tobytes()


def i8(*numbers: int) -> bytes:
    return np.array(numbers, "<i8").tobytes()


def samples(**fields: bytes) -> pb.Body:
    """Two series of three whole numbers, a second apart from each other; ``fields`` replace columns."""
    good = {
        "signals": u4(0, 1), "counts": u4(3, 3), "starts": i8(0, 5), "steps": i8(1, 2),
        "time_forms": b"\0\0", "value_forms": b"\0\0", "mantissas": i4(*range(6)),
    }  # fmt: skip
    return pb.Body(samples=pb.Samples(**(good | fields)))


def raw_frame(claim: int, blocks: int) -> bytes:
    """A zstd frame that states ``claim`` bytes and holds ``blocks`` runs of 128 KiB of zeros each."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0b11000000, 0x40]) + claim.to_bytes(8, "little")  # window of 256 KiB
    run = (128 << 10) << 3 | 1 << 1
    body = b"".join((run | (place == blocks - 1)).to_bytes(3, "little") + b"\0" for place in range(blocks))
    return head + body


def field(number: int, contents: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length, varint = len(contents), b""
    while length > 127:
        varint += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + varint + bytes([length]) + contents


def test_the_batch_that_is_spoilt_below_is_good() -> None:
    found = decode(payload_of(samples()))
    assert [item.times.tolist() for item in found.series] == [[0, 1, 2], [5, 7, 9]]
    assert [item.values.tolist() for item in found.series] == [[0, 1, 2], [3, 4, 5]]
    assert len(decode(seal(HEADER, raw_frame(claim=0, blocks=0) + b"\1\0\0")).series) == 0


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"counts": u4(3)}, ColumnMismatchError),
        ({"counts": u4(3, 3, 3)}, ColumnMismatchError),
        ({"counts": u4(3, 2)}, ColumnMismatchError),
        ({"counts": u4(3, 4)}, ColumnMismatchError),
        ({"counts": b"\3\0\0"}, ColumnMismatchError),
        ({"signals": u4(3)}, ColumnMismatchError),
        ({"signals": b""}, ColumnMismatchError),
        ({"starts": i8(3)}, ColumnMismatchError),
        ({"starts": i8(3, 3)[:-1]}, ColumnMismatchError),
        ({"steps": i8(1)}, ColumnMismatchError),
        ({"steps": b""}, ColumnMismatchError),
        ({"time_forms": b"\0"}, ColumnMismatchError),
        ({"time_forms": b"\0\1"}, ColumnMismatchError),
        ({"time_forms": b"\0\2", "times": i8(1, 2)}, ColumnMismatchError),
        ({"time_deltas": i4(1)}, ColumnMismatchError),
        ({"starts": i8(5, 5), "steps": i8(2, 2), "times": i8(1)}, ColumnMismatchError),
        ({"mantissas": i4(1)}, ColumnMismatchError),
        ({"mantissas": b""}, ColumnMismatchError),
        ({"value_forms": b"\xff\xff"}, ColumnMismatchError),
        ({"value_forms": b"\xfe\0"}, ColumnMismatchError),
        ({"float32_values": bytes(12)}, ColumnMismatchError),
        ({"float64_values": bytes(48)}, ColumnMismatchError),
        ({"steps": i8(1, -1)}, NegativeStepError),
        ({"steps": i8(-1, -1), "starts": i8(5, 5)}, NegativeStepError),
        ({"starts": i8(0, LONG - 3)}, TimeOverflowError),
        ({"starts": i8(LONG, LONG), "steps": i8(1, 1)}, TimeOverflowError),
        ({"steps": i8(0, LONG)}, TimeOverflowError),
        ({"steps": i8(2**62, 2**62)}, TimeOverflowError),
        ({"starts": i8(-(2**63), 0), "steps": i8(LONG, 0), "counts": u4(4, 2)}, TimeOverflowError),
        (
            {"starts": i8(0, LONG - 3), "time_forms": b"\0\1", "time_deltas": i4(0, 2, 2)},
            TimeOverflowError,
        ),
        (
            {"starts": i8(0, -(2**63)), "time_forms": b"\0\1", "time_deltas": i4(-1, 2, 2)},
            TimeOverflowError,
        ),
        ({"time_forms": b"\0\3"}, UnknownFormError),
        ({"value_forms": b"\0\x17"}, UnknownFormError),
        ({"value_forms": b"\0\xfd"}, UnknownFormError),
        ({"counts": u4(2**32 - 1, 2**32 - 1)}, TooLargeError),
        ({"counts": u4(1_999_999, 2)}, TooLargeError),
    ],
)
def test_columns_that_cannot_be_are_refused_by_name(
    fields: dict[str, bytes], error: type[MessageError]
) -> None:
    payload = payload_of(samples(**fields))
    with pytest.raises(MessageError) as caught:
        decode(payload)
    assert type(caught.value) is error
    assert header(payload) == HEADER


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (compressed(samples().SerializeToString())[:-2], TruncatedError),
        (compressed(b""), None),
        (b"", NotABatchError),
        (b"\x28\xb5", NotABatchError),
        (b"nonsense, and long enough to be something", NotABatchError),
        (compressed(samples().SerializeToString()) * 2, TrailingDataError),
        (compressed(b"") + compressed(samples().SerializeToString()), TrailingDataError),
        (compressed(samples().SerializeToString()) + b"\0", TrailingDataError),
        (compressed(b"") + b"\0", TrailingDataError),
        (compressed(b"")[:-1], TruncatedError),
        (raw_frame(claim=0, blocks=5000), FalseSizeError),
        (b"\x50\x2a\x4d\x18\0\0\0\0", NotABatchError),  # a frame to be skipped
        (zstandard.ZstdCompressor(write_content_size=False).compress(b"a" * 50), NotABatchError),
        (compressed(b"\xff" * 50), NotABatchError),
        (raw_frame(claim=4 << 30, blocks=5000), TooLargeError),
        (raw_frame(claim=2**64 - 1, blocks=1), NotABatchError),  # zstd's word for a size that is not stated
        (raw_frame(claim=2**64 - 3, blocks=1), TooLargeError),
        (raw_frame(claim=1000, blocks=5000), FalseSizeError),
        (raw_frame(claim=(128 << 10) + 1, blocks=1), DamagedError),
        (b"\x28\xb5\x2f\xfd\x20\x05\x2f\0\0hello", DamagedError),
    ],
)
def test_a_frame_that_is_not_one_whole_batch_is_refused_by_name(
    frame: bytes, error: type[MessageError] | None
) -> None:
    payload = seal(HEADER, frame)
    if error is None:
        assert decode(payload).samples == 0
        return
    with pytest.raises(MessageError) as caught:
        decode(payload)
    assert type(caught.value) is error
    assert header(payload) == HEADER


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (pb.Header(batch_class=4, sequence=0, table_hash=bytes(32)), NotABatchError),
        (pb.Header(batch_class=4, sequence=2**63, table_hash=bytes(32)), NotABatchError),
        (pb.Header(batch_class=4, sequence=2, floor=3, table_hash=bytes(32)), NotABatchError),
        (pb.Header(batch_class=4, sequence=2, table_hash=bytes(31)), NotABatchError),
        (pb.Header(sequence=2, table_hash=bytes(32)), UnknownSchemaError),
        (pb.Header(batch_class=7, sequence=2, table_hash=bytes(32)), UnknownSchemaError),  # type: ignore[arg-type]
    ],
)
def test_a_header_that_cannot_be_is_refused_by_name(head: pb.Header, error: type[MessageError]) -> None:
    written = head.SerializeToString()
    payload = MAGIC + bytes([2, len(written), 0]) + written + compressed(b"")
    for read in (header, decode):
        with pytest.raises(MessageError) as caught:
            read(payload)
        assert type(caught.value) is error


def test_many_small_parts_are_allowed_up_to_their_limit() -> None:
    events = [pb.Event(gap=pb.Gap(reason="x"))] * 30
    limits = Limits(parts=32)
    body = samples()
    body.events.extend(events)
    assert len(decode(payload_of(body), limits=limits).events) == 30
    body.events.extend(events[:1])
    with pytest.raises(TooManyPartsError):
        decode(payload_of(body), limits=limits)
    with pytest.raises(TooManyPartsError):
        decode(payload_of(samples()), limits=Limits(parts=1))


def test_rows_wider_than_a_batch_may_be_are_refused() -> None:
    rows = [pb.Rows(machine=0, source="a/1", width=50, times=i8(1), values=bytes(200))] * 3
    assert len(decode(payload_of(pb.Body(rows=rows)), limits=Limits(values=150)).rows) == 3
    with pytest.raises(TooLargeError):
        decode(payload_of(pb.Body(rows=rows)), limits=Limits(values=149))


def test_more_evidence_than_reports_have_is_refused_before_it_is_read() -> None:
    report = pb.Report(evidence_json='{"a":[' + "{}," * 100 + "{}]}")
    body = pb.Body(events=[pb.Event(report=report)] * 3)
    most = 3 * len(report.evidence_json)
    assert len(decode(payload_of(body), limits=Limits(evidence_bytes=most)).events) == 3
    with pytest.raises(TooLargeError):
        decode(payload_of(body), limits=Limits(evidence_bytes=most - 1))


FULL = LIMITS.plain_bytes - 100
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "four gigabytes claimed": ("TooLargeError", lambda: seal(HEADER, raw_frame(4 << 30, 5000))),
    "a gigabyte behind a small claim": ("FalseSizeError", lambda: seal(HEADER, raw_frame(1000, 8000))),
    "a gigabyte behind the largest claim": (
        "FalseSizeError", lambda: seal(HEADER, raw_frame(LIMITS.plain_bytes, 8000)),
    ),
    "many frames": ("TrailingDataError", lambda: seal(HEADER, raw_frame(128 << 10, 1) * 3000)),
    "empty events": ("TooManyPartsError", lambda: seal(HEADER, compressed(field(3, b"") * (FULL // 2)))),
    "empty rows": ("TooManyPartsError", lambda: seal(HEADER, compressed(field(2, b"") * (FULL // 2)))),
    "empty series of schema 1": ("TooManyPartsError", lambda: compressed(field(8, b"") * (FULL // 2))),
    "unknown fields": ("TooManyPartsError", lambda: seal(HEADER, compressed(field(9, b"") * (FULL // 2)))),
    "unknown fields inside": (
        "none", lambda: seal(HEADER, compressed(field(1, field(15, b"") * (FULL // 2)))),
    ),
    "evidence": (
        "TooLargeError",
        lambda: payload_of(pb.Body(events=[
            pb.Event(report=pb.Report(evidence_json='{"a":[' + "{}," * (FULL // 3 - 20) + "{}]}"))
        ])),
    ),
    "as many samples as are allowed, in differences": (
        "none",
        lambda: payload_of(pb.Body(samples=pb.Samples(
            signals=u4(0), counts=u4(LIMITS.values), starts=i8(0), steps=i8(0), time_forms=b"\1",
            value_forms=b"\7", mantissas=bytes(4 * LIMITS.values), time_deltas=bytes(4 * LIMITS.values),
        ))),
    ),
    "as many series as are allowed": (
        "none",
        lambda: payload_of(pb.Body(samples=pb.Samples(
            signals=bytes(4 * LIMITS.parts), counts=u4(*[40] * LIMITS.parts), starts=bytes(8 * LIMITS.parts),
            steps=bytes(8 * LIMITS.parts), time_forms=bytes(LIMITS.parts - 1) + b"\1",
            value_forms=bytes(LIMITS.parts - 1) + b"\xff", mantissas=bytes(160 * (LIMITS.parts - 1)),
            float64_values=bytes(320), time_deltas=bytes(160),
        ))),
    ),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_no_small_message_takes_much_memory(name: str, tmp_path: Path) -> None:
    expected, make = BOMBS[name]
    bomb = tmp_path / "bomb"
    bomb.write_bytes(make())
    assert bomb.stat().st_size < 60_000
    command = [sys.executable, "-c", WATCHED, bomb]
    result = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    found, grown = result.stdout.split()
    assert found == expected
    assert int(grown) < MOST_MEMORY
