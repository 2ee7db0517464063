"""How small and how quick a batch of 1000 samples is, beside NumPy's own bytes under the same compression.

Two kinds of values: what instruments print, which repeats (a recording of the SKAB
testbed where ``ANDON_DATA`` names the folder of recordings, else drawn to resemble it),
and noise in every bit, which nothing compresses. Two shapes: one signal, and eight
that were read together. Times are processor time, a batch after another as a hub reads
them: eight different ones in turn, so that no processor learns one by heart.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from wire.batch import Batch, BatchClass, Series
from wire.codec import ZSTD_LEVEL, decode, encode

SAMPLES = 1000
SIGNALS = 8
SECOND = 1_000_000  # in microseconds
START = 1_700_000_000 * SECOND
RECORDING = "skab/valve1/0.csv"
REFERENCE = f"tobytes/frombuffer + zstd-{ZSTD_LEVEL}"

Race = Callable[..., dict[str, list[float]]]
Columns = list[npt.NDArray[Any]]


def codec(race: Race, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Bytes a sample; encoding and decoding against the same columns as NumPy writes and maps them."""
    name, printed = _printed()
    noise = np.random.default_rng(1).normal(size=(SAMPLES, SIGNALS))
    for kind, table, most in ((name, printed, "<= 4"), ("full entropy", noise, "<= 9")):
        for batches in (_pieces(table), _signals(table)):
            shape = f"{len(batches[0].series)} x {len(batches[0].series[0].times)}"
            yield {
                "figure": f"payload: {kind}, {shape}, the largest of {len(batches)}",
                "value": max(len(encode(batch)) for batch in batches) / SAMPLES,
                "unit": "B/sample",
                "bar": most,
                "exact": True,
            }
            yield from _speed(race, batches, f"{kind}, {shape}", rounds=50 if quick else 500)


def _speed(race: Race, batches: list[Batch], label: str, *, rounds: int) -> Iterator[dict[str, Any]]:
    columns = [
        [column for series in batch.series for column in (series.times, series.values)] for batch in batches
    ]
    compressor, decompressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL), zstandard.ZstdDecompressor()
    pack, unpack = partial(_pack, compressor), partial(_unpack, decompressor, columns[0])
    taken = race(
        {
            "encode": partial(_each, encode, batches),
            "pack": partial(_each, pack, columns),
            "decode": partial(_each, decode, [encode(batch) for batch in batches]),
            "unpack": partial(_each, unpack, [pack(item) for item in columns]),
        },
        rounds=rounds,
        clock=thread_time,
    )
    for step, limit in (("encode", "pack"), ("decode", "unpack")):
        yield {
            "figure": f"{step}: {label}",
            "value": median(taken[step]) / len(batches) * 1e6,
            "unit": "us",
            "reference": REFERENCE,
            "reference_value": median(taken[limit]) / len(batches) * 1e6,
            "bar": "<= 2.0",
        }


def _each(step: Callable[[Any], object], items: list[Any]) -> None:
    for item in items:
        step(item)


def _pieces(table: npt.NDArray[np.float64]) -> list[Batch]:
    """All signals of ``table`` [n, signals] for a while, and again."""
    return [_batch(piece) for piece in np.split(table, SIGNALS)]


def _signals(table: npt.NDArray[np.float64]) -> list[Batch]:
    """One signal of ``table`` [n, signals] all the time, and another."""
    return [_batch(column) for column in np.split(table, SIGNALS, axis=1)]


def _batch(table: npt.NDArray[np.float64]) -> Batch:
    """A series a column of ``table`` [n, signals], a sample a second."""
    times = START + np.arange(len(table), dtype=np.int64) * SECOND
    return Batch(
        batch_class=BatchClass.SAMPLE,
        epoch=1 << 63,
        sequence=1_000_000,
        floor=999_990,
        table_hash=bytes(range(32)),
        series=tuple(
            Series(signal=signal, times=times, values=np.ascontiguousarray(column))
            for signal, column in enumerate(table.T)
        ),
    )


def _printed() -> tuple[str, npt.NDArray[np.float64]]:
    """Its name, and float64 [1000, 8] with the six digits that instruments print."""
    recording = Path(os.environ.get("ANDON_DATA", ""), RECORDING)
    if "ANDON_DATA" in os.environ and recording.is_file():
        signals = range(1, SIGNALS + 1)
        return "SKAB", np.genfromtxt(
            recording, delimiter=";", skip_header=1, usecols=signals, max_rows=SAMPLES
        )
    levels = np.array([0.2, 0.3, 2.0, 0.4, 90.0, 27.0, 230.0, 120.0])
    steps = np.random.default_rng(2).normal(0.0, 60.0, (SAMPLES, SIGNALS)).round()  # of a converter
    printed = [[float(f"{value:.6g}") for value in row] for row in levels * (1 + steps * 1e-4)]
    return "drawn like SKAB", np.array(printed)


def _pack(compressor: zstandard.ZstdCompressor, columns: Columns) -> bytes:
    return compressor.compress(b"".join([column.tobytes() for column in columns]))


def _unpack(decompressor: zstandard.ZstdDecompressor, like: Columns, payload: bytes) -> Columns:
    plain = decompressor.decompress(payload)
    found, place = [], 0
    for column in like:
        found.append(np.frombuffer(plain, column.dtype, len(column), place))
        place += column.nbytes
    return found
