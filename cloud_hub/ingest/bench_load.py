"""What the benchmark's fleet has to say, encoded before the clock starts: batches like a device's, poison.

The values are as instruments print them: a level, noise, so many digits after the point.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cloud_hub.ingest.bench_publisher import RECORD
from wire.batch import Batch, BatchClass, Series
from wire.codec import encode
from wire.table import Machine, Signal, SignalKind, SignalTable

SIGNALS = 8
STEP_US = 100_000  # ten readings a second
LEVELS = (0.2, 0.3, 2.0, 0.4, 90.0, 27.0, 230.0, 120.0)
DIGITS = (4, 4, 3, 4, 1, 2, 1, 1)
SCALE = 10**4  # makes every value a whole number
POISON = ("NotABatch", "UnknownSignal", "NotFinite", "TooLate", "FromTheFuture")
DAY_US = 86_400_000_000


def table_of(device: str) -> SignalTable:
    """One machine with eight scalars."""
    return SignalTable(
        machines=(Machine(name=f"{device}-pump", machine_class="pump", feature_set="trend/1"),),
        signals=tuple(
            Signal(id=at, machine=0, name=f"signal_{at}", unit="1", kind=SignalKind.SCALAR)
            for at in range(SIGNALS)
        ),
    )


@dataclass(slots=True)
class Fleet:
    """Who sends, and up to which sequence each has sent."""

    names: list[str]
    epoch: int = 0xA0D0_0000_0000_0001
    sent: dict[str, int] = field(default_factory=dict)
    tables: dict[str, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.tables = {name: table_of(name).hash for name in self.names}


@dataclass(slots=True, kw_only=True)
class Load:
    """What was put into a file: good samples, their sum in units of 1/``SCALE``, the poison by reason."""

    samples: int = 0
    total: int = 0
    poison: dict[str, int] = field(default_factory=dict)


def write(
    file: Path,
    fleet: Fleet,
    *,
    batches: int,
    samples: int,
    newest_us: int,
    poison_every: int = 0,
    seed: int = 5,
) -> Load:
    """Encode ``batches`` of ``samples`` each, device after device in turn; every so many, one more is poison.

    The same arguments give the same samples, whatever was sent before.
    """
    load = Load()
    rng = np.random.default_rng(seed)
    rounds = -(-batches // len(fleet.names))
    each = max(1, samples // SIGNALS)
    with file.open("wb") as out:
        for number in range(batches):
            at = number % len(fleet.names)
            name = fleet.names[at]
            start = newest_us - (rounds - number // len(fleet.names)) * each * STEP_US
            series = tuple(_series(rng, each, start, samples))
            _put(out, at, _batch(fleet, name, series))
            load.samples += sum(len(item.times) for item in series)
            load.total += sum(int(np.rint(item.values * SCALE).sum()) for item in series)
            if poison_every and number % poison_every == poison_every - 1:
                kind = POISON[number // poison_every % len(POISON)]
                out.write(_poison(fleet, number // poison_every % len(fleet.names), series, kind))
                load.poison[kind] = load.poison.get(kind, 0) + 1
    return load


def _series(rng: np.random.Generator, each: int, start: int, samples: int) -> Iterator[Series]:
    times = start + np.arange(each, dtype=np.int64) * STEP_US
    for signal in range(min(SIGNALS, samples)):
        noise = rng.normal(size=each) * LEVELS[signal] * 0.01
        yield Series(signal=signal, times=times, values=np.round(LEVELS[signal] + noise, DIGITS[signal]))


def write_heavy(file: Path, fleet: Fleet, *, megabytes: int) -> Load:
    """Batches of a megabyte that compress not at all, of a class that is not stored: quarantine gets them."""
    rng = np.random.default_rng(6)
    with file.open("wb") as out:
        for number in range(megabytes):
            at = number % len(fleet.names)
            series = (Series(signal=0, times=np.arange(125_000), values=rng.normal(size=125_000)),)
            batch = _batch(fleet, fleet.names[at], series)
            _put(out, at, replace(batch, batch_class=BatchClass.WAVEFORM))
    return Load(poison={"UnsupportedClass": megabytes})


def _batch(fleet: Fleet, name: str, series: tuple[Series, ...]) -> Batch:
    """The next batch of a device."""
    sequence = fleet.sent.get(name, 0) + 1
    fleet.sent[name] = sequence
    return Batch(
        batch_class=BatchClass.SAMPLE,
        epoch=fleet.epoch,
        sequence=sequence,
        floor=1,
        table_hash=fleet.tables[name],
        series=series,
    )


def _poison(fleet: Fleet, at: int, series: tuple[Series, ...], kind: str) -> bytes:
    """The record of one message of which nothing can be stored, different from every other."""
    times, values = series[0].times, series[0].values
    if kind == "NotABatch":
        payload = encode(_batch(replace(fleet, sent=dict(fleet.sent)), fleet.names[at], series))[4:]
        return RECORD.pack(at, 0, len(payload)) + payload  # nobody can read which batch it was
    bad = {
        "UnknownSignal": Series(signal=SIGNALS, times=times, values=values),
        "NotFinite": Series(signal=0, times=times, values=np.where(values == values[-1], np.nan, values)),
        "TooLate": Series(signal=0, times=times - 30 * DAY_US, values=values),
        "FromTheFuture": Series(signal=0, times=times + DAY_US, values=values),
    }[kind]
    batch = _batch(fleet, fleet.names[at], (bad,))
    payload = encode(batch)
    return RECORD.pack(at, batch.sequence, len(payload)) + payload


def _put(out: BinaryIO, at: int, batch: Batch) -> None:
    payload = encode(batch)
    out.write(RECORD.pack(at, batch.sequence, len(payload)) + payload)
