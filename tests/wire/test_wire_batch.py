import contextlib

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wire import batch_pb2 as pb
from wire.batch import AlarmEvent, Batch, BatchClass, GapEvent, Header, ReportEvent, Rows, Series
from wire.codec import Limits, decode, encode, encode_body, header, seal_all
from wire.errors import (
    ColumnMismatchError,
    MessageError,
    NegativeStepError,
    NotABatchError,
    TooLargeError,
    TruncatedError,
    UnknownSchemaError,
)

TABLE = bytes(range(32))


def batch(**fields: object) -> Batch:
    named = {"batch_class": BatchClass.SAMPLE, "epoch": 1, "sequence": 1, "floor": 1, "table_hash": TABLE}
    return Batch(**(named | fields))  # type: ignore[arg-type]  # the test names what it changes


def frame(message: pb.Batch) -> bytes:
    return zstandard.ZstdCompressor().compress(message.SerializeToString())


def message(**fields: object) -> pb.Batch:
    named = {"schema": 1, "batch_class": "BATCH_CLASS_SAMPLE", "epoch": 1, "sequence": 1, "floor": 1}
    return pb.Batch(table_hash=TABLE, **(named | fields))


def body_of(sent: Batch) -> bytes:
    return encode_body(series=sent.series, rows=sent.rows, events=sent.events)


def series_of(times: np.ndarray, values: np.ndarray) -> Series:
    return Series(signal=3, times=times, values=values)


@given(
    values=hnp.arrays(np.float64, st.integers(0, 50), elements=st.floats(width=64)),
    start=st.integers(0, 2**51),
    steps=st.lists(st.integers(-(2**40), 2**40), min_size=50, max_size=50),
)
def test_every_sample_survives_the_wire(values: np.ndarray, start: int, steps: list[int]) -> None:
    times = start + np.cumsum(np.array(steps[: len(values)], dtype=np.int64))
    sent = batch(series=(series_of(times, values),))
    (received,) = decode(encode(sent)).series
    np.testing.assert_array_equal(received.times, times)
    np.testing.assert_array_equal(received.values, values)


@pytest.mark.parametrize("steps", [[5], [5, 4], [5, 5], [9, 7, 5], [5, 6, 8], [1, 2, 3, 3]])
def test_times_survive_in_any_order_beside_other_signals(steps: list[int]) -> None:
    """Steps are looked for in all columns at once, and a column's border is not a step."""
    odd = Series(signal=1, times=np.array(steps, np.int64), values=np.arange(len(steps)) / 3)
    empty = Series(signal=2, times=np.empty(0, np.int64), values=np.empty(0))
    plain = Series(signal=3, times=np.arange(4) * 10, values=np.array([1.5, np.nan, np.inf, -1e300]))
    sent = (odd, plain, empty, odd, odd, plain)
    received = decode(encode(batch(series=sent))).series
    assert [item.signal for item in received] == [item.signal for item in sent]
    for got, given_ in zip(received, sent, strict=True):
        np.testing.assert_array_equal(got.times, given_.times)
        np.testing.assert_array_equal(got.values, given_.values)


def test_a_damaged_payload_does_not_spoil_the_next() -> None:
    good = encode(batch(series=(series_of(np.arange(500), np.random.default_rng(1).normal(size=500)),)))
    with pytest.raises(MessageError):
        decode(good[: len(good) // 2])
    assert decode(good).samples == 500


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.floats(width=32)
    )
)
def test_every_row_survives_the_wire(values: np.ndarray) -> None:
    sent = Rows(machine=2, source="trend/1", times=np.arange(len(values)) * 10**6, values=values)
    (received,) = decode(encode(batch(batch_class=BatchClass.FEATURE, rows=(sent,)))).rows
    assert (received.machine, received.source) == (2, "trend/1")
    np.testing.assert_array_equal(received.times, sent.times)
    np.testing.assert_array_equal(received.values, values)


def test_events_survive_the_wire() -> None:
    events = (
        AlarmEvent(
            time_us=9, machine=1, use_case="motor-health", release="motor-health/2", state="opened",
            severity=0.5, message="remaining life below 72 h", opened_us=9,
        ),
        GapEvent(time_us=10, reason="disk-full", epoch=2**64 - 1, first_sequence=4, last_sequence=7),
        ReportEvent(
            time_us=11, use_case="motor-health", directive_sequence=5, state="probation", event="healthy",
            reason="", rollout="r", correlation="c", evidence={"p99_ms": 1.5},
        ),
    )  # fmt: skip
    assert decode(encode(batch(batch_class=BatchClass.ALARM, events=events))).events == events


def test_the_same_batch_is_always_the_same_bytes() -> None:
    report = ReportEvent(
        time_us=1, use_case="u", directive_sequence=1, state="s", event="e", evidence={"b": 1, "a": 2}
    )
    turned = ReportEvent(
        time_us=1, use_case="u", directive_sequence=1, state="s", event="e", evidence={"a": 2, "b": 1}
    )
    assert encode(batch(events=(report,))) == encode(batch(events=(turned,)))


@given(st.integers(1, (1 << 62)), st.sampled_from(BatchClass), st.booleans(), st.integers(1, 300))
def test_batches_that_follow_one_another_are_sealed_as_protobuf_would(
    first: int, batch_class: BatchClass, backlog: bool, count: int
) -> None:
    start = Header(
        batch_class=batch_class, epoch=7, sequence=first, floor=1, table_hash=TABLE, backlog=backlog
    )
    for sequence, payload in enumerate(seal_all(start, [b"body"] * count), first):
        meant = pb.Header(epoch=7, sequence=sequence, floor=1, table_hash=TABLE, backlog=backlog)
        meant.batch_class = pb.BatchClass.Value(f"BATCH_CLASS_{batch_class.name}")
        written = meant.SerializeToString()
        assert payload == b"andb\2" + len(written).to_bytes(2, "little") + written + b"body"


def test_header_is_read_without_the_columns() -> None:
    found = header(encode(batch(sequence=8, floor=3, epoch=2**64 - 1, backlog=True)))
    assert (found.sequence, found.floor, found.epoch, found.backlog) == (8, 3, 2**64 - 1, True)


def test_regular_times_cost_nothing() -> None:
    values = np.zeros(1000)
    regular = encode(batch(series=(series_of(np.arange(1000) * 1_000_000, values),)))
    assert len(regular) < 120


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (message(schema=9), UnknownSchemaError),
        (message(batch_class=42), UnknownSchemaError),
        (message(sequence=0, floor=0), NotABatchError),
        (message(floor=2), NotABatchError),
        (message(series=[pb.Series(count=2, step_us=1, float64_values=b"\0" * 8)]), ColumnMismatchError),
        (
            message(series=[pb.Series(count=1, deltas=b"\0" * 16, float64_values=b"\0" * 8)]),
            ColumnMismatchError,
        ),
        (message(series=[pb.Series(count=1, step_us=-1, float64_values=b"\0" * 8)]), NegativeStepError),
        (
            message(series=[pb.Series(count=1, float64_values=b"\0" * 8, float32_values=b"\0" * 4)]),
            ColumnMismatchError,
        ),
        (message(rows=[pb.Rows(width=3, times=b"\0" * 8, values=b"\0" * 8)]), ColumnMismatchError),
        (message(rows=[pb.Rows(width=3, times=b"\0" * 7, values=b"")]), ColumnMismatchError),
        (message(series=[pb.Series(count=2**32 - 1, step_us=1)]), TooLargeError),
        (message(events=[pb.Event(time_us=1)]), UnknownSchemaError),
        (message(events=[pb.Event(report=pb.Report(evidence_json="[1]"))]), NotABatchError),
        (message(events=[pb.Event(report=pb.Report(evidence_json="{"))]), NotABatchError),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(wrong: pb.Batch, error: type[MessageError]) -> None:
    with pytest.raises(error):
        decode(frame(wrong))


def test_a_table_hash_of_another_length_is_refused() -> None:
    wrong = message()
    wrong.table_hash = b"short"
    with pytest.raises(NotABatchError, match="32 bytes, got 5"):
        decode(frame(wrong))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    assert len(bomb) < 20_000
    with pytest.raises(TooLargeError, match="unpacked"):
        decode(bomb)


def test_a_payload_over_the_packet_limit_is_refused() -> None:
    with pytest.raises(TooLargeError):
        decode(encode(batch()), limits=Limits(payload_bytes=10))


def test_a_truncated_batch_is_named_so() -> None:
    noise = np.random.default_rng(1).normal(size=500)
    payload = encode(batch(series=(series_of(np.arange(500), noise),)))
    with pytest.raises(TruncatedError):
        decode(payload[: len(payload) // 2])


def test_columns_of_different_lengths_cannot_be_sent() -> None:
    with pytest.raises(ColumnMismatchError):
        encode(batch(series=(series_of(np.arange(3), np.zeros(2)),)))


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_garbage_is_never_anything_but_a_message_error(payload: bytes) -> None:
    with pytest.raises(MessageError):
        decode(payload)


@settings(max_examples=300)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255), inside=st.booleans())
def test_a_damaged_batch_is_decoded_or_refused_and_nothing_else(
    position: int, value: int, inside: bool
) -> None:
    sent = batch(
        series=(series_of(np.arange(40) ** 2, np.linspace(0, 1, 40)),),
        rows=(Rows(machine=0, source="a/1", times=np.arange(3), values=np.ones((3, 4), np.float32)),),
        events=(GapEvent(time_us=1, reason="agent-down"),),
    )
    payload = encode(sent)
    head, body = payload[: -len(body_of(sent))], body_of(sent)
    damaged = bytearray(zstandard.ZstdDecompressor().decompress(body) if inside else payload)
    damaged[position % len(damaged)] = value
    whole = head + zstandard.ZstdCompressor().compress(bytes(damaged)) if inside else bytes(damaged)
    with contextlib.suppress(MessageError):
        decode(whole)
