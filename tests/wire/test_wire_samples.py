"""Samples cross the wire bit by bit, whatever they are, and cost what their digits cost."""

import base64
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wire import batch_pb2 as pb
from wire.batch import Batch, BatchClass, GapEvent, SampleColumns, Series
from wire.codec import decode, encode, encode_body, header, seal, seal_all
from wire.errors import ColumnMismatchError, MessageError, TruncatedError, UnknownSchemaError
from wire.frame import Limits, unpack
from wire.samples import from_message, to_message

EXTREME = [-(2**63), -(2**63) + 1, -1, 0, 1, 2**62, 2**63 - 2, 2**63 - 1]
ODD = [0.0, -0.0, 5e-324, -5e-324, 2.2e-308, 1.7976931348623157e308, np.inf, -np.inf, 2.0**31, 0.1 + 0.2]
SECOND = 1_000_000

# What schema 1 wrote on 2026-11-23: four series' worth of everything, a row, an event.
FIRST = base64.b64decode(
    "KLUv/SD31QYA5AsIARAEGQUAgCAMKAkyIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fOAFCPQgDEICt4gQgBCogAICE"
    "HgBAS0w6EAAAwD8AAADAAACAPgAAAEFCIhAOGMCEPSADMhiamZmZmZm5PwDwfwAAgEICCAlKOQgBEgd0cmVuZC8xGAMiEMDPaioY"
    "AACAPwAAAEAAAEBAAACAQAAAoEAAAMBAUh4IFBoaCglkaXNrLWZ1bGwQASkHAAAwBDgHCgC/SkrS67ACYZVzdqoRIHyFLAjkQMIW"
    "GAE="
)

decimal = st.builds(
    lambda mantissa, places: mantissa / 10**places, st.integers(-(2**32), 2**32), st.integers(0, 14)
)
payload_of_nan = st.builds(
    lambda low: np.array([0x7FF0_0000_0000_0001 | low], np.uint64).view(np.float64)[0], st.integers(0, 2**51)
)
value = st.one_of(st.floats(width=64), st.floats(width=32), decimal, payload_of_nan, st.sampled_from(ODD))
moment = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**51), st.sampled_from(EXTREME))


@st.composite
def columns_of_one(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of one series; values of one kind or of all, times even or anything."""
    count = draw(st.integers(0, 12))
    kind = draw(st.sampled_from([value, decimal, st.floats(width=32), st.integers(-5, 5).map(float)]))
    values = draw(st.lists(kind, min_size=count, max_size=count))
    if draw(st.booleans()):
        step = draw(st.integers(0, 2**40))
        times = draw(st.integers(-(2**62), 2**62)) + np.arange(count) * step
    else:
        times = np.array(draw(st.lists(moment, min_size=count, max_size=count)), np.int64)
    return times, np.array(values, np.float64)


def series_of(columns: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[Series, ...]:
    return tuple(Series(signal=i, times=times, values=values) for i, (times, values) in enumerate(columns))


def batch(**fields: object) -> Batch:
    named = {"batch_class": BatchClass.SAMPLE, "epoch": 1, "sequence": 1, "floor": 1, "table_hash": bytes(32)}
    return Batch(**(named | fields))  # type: ignore[arg-type]  # the test names what it changes


def message_of(series: Sequence[Series]) -> pb.Samples:
    message = pb.Samples()
    to_message(series, message)
    return message


def assert_same(got: Sequence[Series], sent: Sequence[Series]) -> None:
    assert [item.signal for item in got] == [item.signal for item in sent]
    for one, other in zip(got, sent, strict=True):
        assert one.times.tolist() == other.times.tolist()
        assert one.values.tobytes() == other.values.tobytes()


@given(st.lists(columns_of_one(), max_size=6))
def test_every_bit_of_every_sample_survives(columns: list[tuple[np.ndarray, np.ndarray]]) -> None:
    sent = series_of(columns)
    assert_same(decode(encode(batch(series=sent))).series, sent)


@given(
    table=hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=value),
    start=moment,
    step=st.integers(0, 2**45),
    jitter=st.sampled_from([0, 0, 1, 2**33]),
)
def test_signals_read_together_are_written_as_if_they_were_not(
    table: np.ndarray, start: int, step: int, jitter: int
) -> None:
    """The quick way and the long way give the same message, and the same samples back."""
    start = min(start, 2**63 - 1 - step * (table.shape[1] - 1))
    times = start + np.arange(table.shape[1]) * step
    times[1::2] ^= jitter
    together = tuple(Series(signal=i, times=times, values=row) for i, row in enumerate(table))
    apart = tuple(Series(signal=i, times=times.copy(), values=row) for i, row in enumerate(table))
    assert message_of(together) == message_of(apart)
    assert_same(decode(encode(batch(series=together))).series, together)


@pytest.mark.parametrize("places", range(11))
def test_decimals_are_written_as_decimals_however_rare_their_last_digit(places: int) -> None:
    """The fewest decimals that all values have, found also where the first looked at have none."""
    values = np.ones(300)
    values[137] = 1234567 / 10**places
    message = message_of((Series(signal=0, times=np.arange(300), values=values),))
    fits = 10**places <= (2**31 - 1)
    assert message.value_forms == bytes([places if fits else 255])
    assert len(message.mantissas) == (1200 if fits else 0)
    assert from_message(message, Limits()).values.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("spoiler", "form"),
    [
        (-0.0, 254),
        (np.inf, 254),
        (np.nan, 254),
        (0.1 + 0.2, 255),
        (2.0**31, 254),
        (1e-13, 255),
        (2147483647.0, 0),
    ],
)
def test_one_value_that_is_no_decimal_changes_the_form_of_its_series_only(spoiler: float, form: int) -> None:
    whole = np.arange(-20.0, 20.0)
    spoilt = whole.copy()
    spoilt[11] = spoiler
    sent = series_of([(np.arange(40), whole), (np.arange(40), spoilt)])
    message = message_of(sent)
    assert list(message.value_forms) == [0, form]
    assert_same(list(from_message(message, Limits())), sent)


@pytest.mark.parametrize(
    ("times", "form"),
    [
        ([5, 5, 5], 0),
        ([7, 9, 12], 1),
        ([9, 7, 5], 1),
        ([0, 2**31 - 1, 0], 1),
        ([0, 2**31, 1], 2),
        ([-(2**63), 2**63 - 1, 0], 2),
        ([2**63 - 1, -(2**63), -(2**63) + 1], 2),
        ([-(2**63), -1, 2**63 - 2], 0),
    ],
)
def test_times_are_written_in_the_shortest_form_that_holds_them(times: list[int], form: int) -> None:
    sent = series_of([(np.array(times, np.int64), np.zeros(3))])
    message = message_of(sent)
    assert list(message.time_forms) == [form]
    assert_same(list(from_message(message, Limits())), sent)


def test_a_thousand_printed_samples_cost_less_than_four_bytes_each_and_noise_less_than_nine() -> None:
    generator = np.random.default_rng(1)
    printed = np.round(230 + generator.normal(size=(1000, 8)).cumsum(axis=0) / 50, 3)
    for table, most in ((printed, 4), (generator.normal(size=(1000, 8)), 9)):
        for piece in (table[:125], table[:, :1]):
            times = np.arange(len(piece)) * SECOND
            series = tuple(Series(signal=i, times=times, values=row) for i, row in enumerate(piece.T))
            assert len(encode(batch(series=series))) <= most * 1000


def test_a_recording_with_its_own_times_costs_less_than_four_bytes_a_sample(recorded_data: Path) -> None:
    with (recorded_data / "skab/valve1/0.csv").open() as lines:
        rows = [row[:9] for row in csv.reader(lines, delimiter=";")][1:1001]
    times = np.array([row[0] for row in rows], "datetime64[us]").astype(np.int64)
    table = np.array([row[1:] for row in rows], np.float64)
    pieces = [(times[i : i + 125], table[i : i + 125]) for i in range(0, 1000, 125)]
    for axis, piece in pieces + [(times, table[:, [signal]]) for signal in range(8)]:
        series = tuple(Series(signal=i, times=axis, values=row) for i, row in enumerate(piece.T))
        payload = encode(batch(series=series))
        assert len(payload) <= 4 * 1000
        assert_same(decode(payload).series, series)


def test_a_body_packed_ahead_is_sealed_to_the_same_bytes() -> None:
    series = series_of([(np.arange(9), np.arange(9) / 7)])
    gap = GapEvent(time_us=1, reason="agent-down")
    wholes = [batch(series=series, events=(gap,), sequence=7 + i, floor=3, backlog=True) for i in range(3)]
    body = encode_body(series=series, events=(gap,))
    assert [seal(whole.header, body) for whole in wholes] == [encode(whole) for whole in wholes]
    assert seal_all(wholes[0].header, [body] * 3) == [encode(whole) for whole in wholes]


@pytest.mark.parametrize(
    "damage", [lambda p: p[:-9], lambda p: p[:-1] + bytes([p[-1] ^ 255]), lambda p: p + p]
)
def test_the_header_of_a_damaged_batch_is_still_read(damage) -> None:
    noise = np.random.default_rng(1).normal(size=500)
    payload = damage(encode(batch(series=series_of([(np.arange(500), noise)]), sequence=12, floor=4)))
    assert (header(payload).sequence, header(payload).floor) == (12, 4)


def test_a_batch_of_a_later_schema_is_refused_and_its_header_read() -> None:
    payload = bytearray(encode(batch(sequence=5)))
    payload[4] = 3
    with pytest.raises(UnknownSchemaError, match="expected batch schema 1 or 2, got 3"):
        decode(bytes(payload))
    assert header(bytes(payload)).sequence == 5


def test_a_payload_cut_within_its_header_is_refused() -> None:
    payload = encode(batch())
    for length in range(len(payload) - len(encode_body())):
        with pytest.raises(MessageError):
            header(payload[:length])


def test_a_payload_cut_behind_its_header_is_truncated() -> None:
    payload = encode(batch(events=(GapEvent(time_us=1, reason="x" * 500),)))
    body = encode_body(events=(GapEvent(time_us=1, reason="x" * 500),))
    for length in range(len(payload) - len(body) + 9, len(payload)):
        with pytest.raises(TruncatedError):
            decode(payload[:length])


def test_what_the_first_schema_wrote_is_still_read() -> None:
    found = decode(FIRST)
    assert found.header == header(FIRST)
    assert (found.sequence, found.floor, found.epoch, found.backlog) == (12, 9, 2**63 + 5, True)
    times = [5 * SECOND, 7 * SECOND, 9 * SECOND, 14 * SECOND]
    assert_same(
        found.series,
        (
            Series(signal=3, times=np.array(times), values=np.array([1.5, -2.0, 0.25, 8.0])),
            Series(signal=0, times=np.arange(3) * SECOND + 7, values=np.array([0.1, np.inf, -0.0])),
            Series(signal=9, times=np.empty(0, np.int64), values=np.empty(0)),
        ),
    )
    assert found.rows[0].values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.events == (
        GapEvent(time_us=10, reason="disk-full", epoch=7, first_sequence=4, last_sequence=7),
    )


def test_series_are_cut_from_columns_when_they_are_asked_for() -> None:
    sent = series_of([(np.arange(count), np.arange(count) / 3) for count in (4, 0, 2)])
    found = decode(encode(batch(series=sent)))
    assert isinstance(found.series, SampleColumns)
    assert found.columns is found.series
    assert (found.samples, len(found.series), found.series.offsets.tolist()) == (6, 3, [0, 4, 4, 6])
    assert_same(list(found.series), sent)
    assert_same([found.series[i] for i in (0, 1, 2)], sent)
    assert_same([found.series[-1]], sent[2:])
    assert_same(found.series[1:], sent[1:])
    with pytest.raises(IndexError):
        found.series[3]
    assert_same(decode(encode(found)).series, sent)


def test_what_was_decoded_is_encoded_to_the_same_bytes() -> None:
    """Quarantine knows what it keeps by the hash of such bytes."""
    generator = np.random.default_rng(3)
    sent = series_of([(np.arange(count) * 7, generator.normal(size=count).round(2)) for count in (40, 40, 3)])
    payload = encode(batch(series=sent))
    assert encode(decode(payload)) == payload


def test_a_signal_that_is_no_uint32_cannot_be_sent() -> None:
    for signal in (-1, 2**32):
        with pytest.raises(MessageError):
            encode(batch(series=(Series(signal=signal, times=np.arange(2), values=np.zeros(2)),)))


@pytest.mark.parametrize(
    ("times", "values"),
    [
        (np.arange(3), np.zeros(2)),
        (np.arange(4).reshape(2, 2), np.zeros((2, 2))),
        (np.arange(2), np.zeros((2, 1))),
    ],
)
def test_a_series_without_one_value_a_time_cannot_be_sent(times: np.ndarray, values: np.ndarray) -> None:
    good = Series(signal=0, times=np.arange(2), values=np.zeros(2))
    bad = Series(signal=1, times=times, values=values)
    for series in ((bad,), (bad, bad), (good, bad)):
        with pytest.raises(ColumnMismatchError):
            encode(batch(series=series))


def test_packed_bytes_are_one_frame_that_states_its_size() -> None:
    body = encode_body(series=series_of([(np.arange(9), np.arange(9.0))]))
    assert pb.Body.FromString(unpack(body, Limits())).samples.mantissas == np.arange(9, dtype="<i4").tobytes()
