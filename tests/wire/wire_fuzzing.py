"""Batches made wrong in ways that get far: changed within their structure, not only in their bytes.

Random bytes never pass zstd, so what is inside is changed before it is packed: fields of the message,
bytes of columns, lengths. Run as a program it fuzzes the decoder with atheris, guided by coverage:
``python -m tests.wire.wire_fuzzing -max_total_time=30``.
"""

import random
import sys
from contextlib import suppress
from inspect import getmembers, isfunction

import numpy as np
import zstandard
from google.protobuf.descriptor import FieldDescriptor

from wire import batch_pb2 as pb
from wire import codec, columns, decimals, events, first_schema, frame, samples, times
from wire.batch import AlarmEvent, Batch, BatchClass, Capture, GapEvent, ReportEvent, Rows, Series
from wire.codec import decode, encode, encode_body, header, seal
from wire.errors import MessageError
from wire.frame import Limits

# Small, so that a lucky mutation costs milliseconds and the limits themselves are met.
LIMITS = Limits(payload_bytes=1 << 16, plain_bytes=1 << 20, values=20_000, parts=500, evidence_bytes=4000)
ODD_NUMBERS = (
    0,
    1,
    2,
    3,
    127,
    128,
    255,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
_BITS = {
    FieldDescriptor.CPPTYPE_BOOL: 1,
    FieldDescriptor.CPPTYPE_UINT32: 32,
    FieldDescriptor.CPPTYPE_INT32: 31,
    FieldDescriptor.CPPTYPE_ENUM: 31,
    FieldDescriptor.CPPTYPE_INT64: 63,
}
_compressor = zstandard.ZstdCompressor(level=1)


def seeds() -> list[Batch]:
    """Batches with every form of times and values, rows and events."""
    odd = np.array([0.5, -0.0, np.nan, np.inf, 1e-300])
    even = np.arange(5, dtype=np.int64) * 1_000_000
    columns = [
        (even, np.arange(5) / 10), (even, odd), (even, np.float32(odd[:1]).astype(float).repeat(5)),
        (np.array([0, 3, 4]), np.array([1.0, 2.0, 3.5])), (np.array([0, 2**40, -(2**63)]), np.zeros(3)),
        (np.empty(0, np.int64), np.empty(0)),
    ]  # fmt: skip
    series = tuple(Series(signal=i, times=t, values=v) for i, (t, v) in enumerate(columns))
    rows = (Rows(machine=1, source="trend/1", times=even[:2], values=np.ones((2, 3), np.float32)),)
    events = (
        GapEvent(time_us=1, reason="disk-full", epoch=2**64 - 1, first_sequence=1, last_sequence=2**64 - 1),
        AlarmEvent(
            time_us=2, machine=0, use_case="u", release="u/1", state="opened", severity=0.5, message="m",
            opened_us=2,
        ),
        ReportEvent(
            time_us=3, use_case="u", directive_sequence=4, state="s", event="e", evidence={"a": [1, {"b": 2}]}
        ),
    )  # fmt: skip
    captures = (
        Capture(signal=2, time_us=-1, rate_hz=12_800.0, values=np.float32(odd[1:4]), why="alarm"),
        Capture(signal=3, time_us=5, rate_hz=0.0, values=np.empty(0, np.float32), why="asked", command="c-1"),
    )
    named = {"epoch": 2**63, "sequence": 9, "floor": 3, "table_hash": bytes(range(32))}
    return [
        Batch(batch_class=BatchClass.SAMPLE, series=series, **named),
        Batch(batch_class=BatchClass.SAMPLE, series=series[:1] * 3, **named),
        Batch(batch_class=BatchClass.FEATURE, rows=rows, **named),
        Batch(batch_class=BatchClass.WAVEFORM, captures=captures, **named),
        Batch(batch_class=BatchClass.ALARM, events=events, series=series[:2], rows=rows, **named),
    ]


def mutated(draw: random.Random) -> bytes:
    """A payload that was good before something in it was changed."""
    batch = draw.choice(seeds())
    if draw.random() < 0.2:
        return _bent(encode(batch), draw)
    body = encode_body(series=batch.series, rows=batch.rows, events=batch.events, captures=batch.captures)
    plain = zstandard.ZstdDecompressor().decompress(body)
    if draw.random() < 0.7:
        message = pb.Body.FromString(plain)
        for _ in range(draw.randint(1, 3)):
            _change(message, draw)
        plain = message.SerializeToString()
    if draw.random() < 0.4:
        plain = _bent(plain, draw)
    packed = _compressor.compress(plain)
    if draw.random() < 0.2:
        return _compressor.compress(_first_schema(plain, draw))
    return seal(batch.header, packed) if draw.random() < 0.9 else _bent(seal(batch.header, packed), draw)


def check(payload: bytes) -> None:
    """What every payload must do: be read, or be refused by a ``MessageError``; what is read can be sent on."""
    with suppress(MessageError):
        header(payload, limits=LIMITS)
    try:
        batch = decode(payload, limits=LIMITS)
    except MessageError:
        return
    again = decode(encode(batch))
    assert again.samples == batch.samples == sum(len(series.times) for series in batch.series)
    assert again.columns.times.tobytes() == batch.columns.times.tobytes()
    assert again.columns.values.tobytes() == batch.columns.values.tobytes()
    assert again.header == batch.header
    assert list(map(told, again.captures)) == list(map(told, batch.captures))


def told(capture: Capture) -> tuple[object, ...]:
    """All of a capture, bit by bit."""
    fields = (capture.signal, capture.time_us, np.float64(capture.rate_hz).tobytes())
    return (*fields, capture.values.tobytes(), capture.why, capture.command)


def _bent(data: bytes, draw: random.Random) -> bytes:
    """``data`` with a byte changed, cut, or a piece of it repeated."""
    bent = bytearray(data)
    place = draw.randrange(len(bent)) if bent else 0
    match draw.randrange(5):
        case 0:
            bent[place : place + 1] = bytes([draw.randrange(256)])
        case 1:
            bent[place : place + 1] = bytes([bent[place] ^ 1 << draw.randrange(8)]) if bent else b"\0"
        case 2:
            del bent[place:]
        case 3:
            del bent[place : place + draw.choice((1, 4, 8))]
        case _:
            bent[place:place] = bent[place : place + draw.choice((1, 4, 8, 64))]
    return bytes(bent)


def _change(message: object, draw: random.Random) -> None:
    """One field of ``message``, or of one within it, becomes something else."""
    field = draw.choice(message.DESCRIPTOR.fields)  # type: ignore[attr-defined]  # of any message
    found = getattr(message, field.name)
    if field.type == field.TYPE_MESSAGE:
        if not field.is_repeated:
            _change(found, draw)
        elif not found or draw.random() < 0.2:
            found.add()
        elif draw.random() < 0.2:
            found.extend(list(found) * draw.choice((1, 30)))
        else:
            _change(draw.choice(found), draw)
    elif field.type == field.TYPE_BYTES:
        setattr(message, field.name, _bent(found, draw))
    elif field.type == field.TYPE_STRING:
        setattr(message, field.name, draw.choice(("", "{", "[]", '{"a":NaN}', "[" * 3000, found * 50)))
    elif field.type == field.TYPE_DOUBLE:
        setattr(message, field.name, draw.choice((0.0, float("nan"), 1e308)))
    else:
        number = draw.choice(ODD_NUMBERS)
        setattr(message, field.name, number % (1 << _BITS.get(field.cpp_type, 64)))


def _first_schema(plain: bytes, draw: random.Random) -> bytes:
    """What a device of schema 1 might have sent, with series at odds with themselves."""
    message = pb.Batch(schema=1, batch_class=4, epoch=1, sequence=2, floor=1, table_hash=bytes(32))  # type: ignore[arg-type]  # an enum is a number
    for signal in range(draw.randrange(4)):
        count = draw.choice((0, 1, 2, 3, 2**32 - 1))
        values = bytes(8 * min(count, 3))
        message.series.add(signal=signal, count=count, step_us=1, float64_values=values)
    for _ in range(draw.randint(0, 3)):
        _change(message, draw)
    return message.SerializeToString() + (plain if draw.random() < 0.1 else b"")


def main() -> None:
    import atheris

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        """Bytes inside where they can be reached, structure by chance, else as libFuzzer likes."""
        draw = random.Random(seed)
        if draw.random() < 0.3:
            return mutated(draw)[:most]
        try:
            plain = frame.unpack(data[HEAD:], LIMITS)
        except MessageError:
            return atheris.Mutate(data, len(data) + 8)[:most]  # type: ignore[no-any-return]
        return (data[:HEAD] + _compressor.compress(atheris.Mutate(plain, len(plain) + 8)))[:most]

    whole = seeds()[0]
    HEAD = len(encode(whole)) - len(encode_body(series=whole.series))  # noqa: N806  # the same for all of them
    for module in (codec, columns, decimals, events, first_schema, frame, samples, times):
        for _, function in getmembers(module, isfunction):
            if function.__module__ == module.__name__:
                atheris.instrument_func(function)
    atheris.Setup([*sys.argv, "-max_len=65536"], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
