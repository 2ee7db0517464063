"""Captures on the wire: every bit arrives, what contradicts itself is refused by name, old readers are not stopped."""

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from wire_fuzzing import told

from wire import batch_pb2 as pb
from wire.batch import LONGEST_CAPTURE, Batch, BatchClass, Capture, Why
from wire.codec import Limits, decode, encode, header, seal
from wire.errors import ColumnMismatchError, MessageError, TooLargeError, TooManyPartsError


def window(**fields: object) -> Capture:
    named = {"signal": 2, "time_us": 7, "rate_hz": 12_800.0, "why": Why.ALARM}
    return Capture(**({"values": np.zeros(4, np.float32)} | named | fields))  # type: ignore[arg-type]  # as named


def batch(*captures: Capture) -> Batch:
    return Batch(
        batch_class=BatchClass.WAVEFORM, epoch=1, sequence=1, floor=1, table_hash=bytes(32), captures=captures
    )


def packed(body: bytes) -> bytes:
    return seal(batch().header, zstandard.ZstdCompressor().compress(body))


@given(
    captures=st.lists(
        st.builds(
            window,
            signal=st.integers(0, 2**32 - 1),
            time_us=st.integers(-(2**63), 2**63 - 1),
            rate_hz=st.floats(width=64),
            values=hnp.arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32)),
            why=st.text(max_size=9).filter(lambda text: text == text.encode(errors="replace").decode()),
            command=st.sampled_from(["", "waveform-1"]),
        ),
        max_size=4,
    )
)
def test_every_bit_of_a_capture_survives_the_wire(captures: list[Capture]) -> None:
    received = decode(encode(batch(*captures)))
    assert list(map(told, received.captures)) == list(map(told, captures))
    assert received.batch_class is BatchClass.WAVEFORM
    assert received.samples == 0, "what a capture holds is none of the samples that are counted"


def test_values_are_little_endian_whatever_the_device_counts_in() -> None:
    values = np.array([1.5, -2.0], ">f4")
    payload = encode(batch(window(values=values)))
    size = len(encode(batch())) - len(zstandard.ZstdCompressor(level=1).compress(b""))
    body = pb.Body.FromString(zstandard.ZstdDecompressor().decompress(payload[size:]))
    assert body.captures[0].values == np.array([1.5, -2.0], "<f4").tobytes()


def test_the_longest_capture_of_four_channels_is_far_from_the_largest_batch() -> None:
    noise = np.random.default_rng(3).standard_normal(LONGEST_CAPTURE).astype(np.float32)
    payload = encode(batch(*(window(signal=each, values=noise) for each in range(4))))
    assert len(payload) < Limits().payload_bytes / 3


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (pb.Body(captures=[pb.Capture(values=b"123")]), ColumnMismatchError),
        (pb.Body(captures=[pb.Capture()] * 60_000), TooManyPartsError),
        (pb.Body(captures=[pb.Capture(values=bytes(8_000_004))]), TooLargeError),
    ],
)
def test_a_capture_that_cannot_be_is_refused_by_name(body: pb.Body, error: type[MessageError]) -> None:
    with pytest.raises(error):
        decode(packed(body.SerializeToString()))


@pytest.mark.parametrize(
    "wrong", [{"signal": -1}, {"time_us": 2**63}, {"why": "\ud800"}, {"values": np.zeros((2, 2), np.float32)}]
)
def test_what_the_wire_has_no_place_for_cannot_be_sent(wrong: dict[str, object]) -> None:
    with pytest.raises(MessageError):
        encode(batch(window(**wrong)))


def test_a_reader_skips_what_it_has_no_name_for_and_learns_the_class_from_the_header() -> None:
    """So a hub from before captures reads the batch as one of a class that it does not keep, and settles it."""
    unknown = (15 << 3 | 2).to_bytes() + bytes([3]) + b"new"
    received = decode(packed(unknown))
    assert (received.batch_class, received.captures) == (BatchClass.WAVEFORM, ())
    assert header(packed(unknown)).batch_class is BatchClass.WAVEFORM
