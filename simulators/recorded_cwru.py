"""The Case Western bearing recordings (drive end accelerometer) as windows of a waveform.

One recording is one machine at one load. Faulty bearings were sampled at 12 kHz,
the sound one at 48 kHz: it is filtered and decimated to the same rate, or "sound"
could be told from the sampling alone. What each bearing suffered from goes to the
truth.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.errors import RecordingError
from simulators.recorded import Line, Recording, Track, Waveform
from wire.table import Machine

MACHINE_CLASS = "bearing-rig"
FEATURE_SET = "vibration/1"
RATE_HZ = 12_000
G = 9.80665  # m/s2
HORSEPOWER_KW = 0.745700
SIGNALS = (("speed", "1/min"), ("load", "kW"))
FAULTS = {"B": "ball", "IR": "inner race", "OR": "outer race"}
FAULTY_NAME = re.compile(r"(?P<fault>B|IR|OR)(?P<mils>\d{3})")


def read_cwru(path: Path, *, length: int, step_us: int | None) -> Recording:
    """Read an ``.npz`` of int16 with its ``.json`` beside it; windows of ``length`` do not overlap.

    ``step_us`` is the time between windows; None: as they were recorded.
    """
    described, arrays = _load(path)
    tracks, faults = [], []
    for key in sorted(arrays):
        try:
            track = _track(key, arrays[key], described[key], length, step_us)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordingError(f"{path}: recording {key}: {error!r}") from error
        tracks.append(track)
        faults.append((int(track.times_us[0]), _fault(track.machine.name, key)))
    return Recording(tracks=tuple(tracks), notes={"faults.jsonl": faults})


def decimate(signal: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Every ``factor``-th sample of the low-passed signal: a windowed sinc without phase shift."""
    reach = 16 * factor
    taps = np.arange(-reach, reach + 1)
    kernel = np.sinc(0.9 * taps / factor) * np.hamming(len(taps))
    smooth: NDArray[np.float64] = np.convolve(signal, kernel / kernel.sum(), "same")[::factor]
    return smooth


def _track(key: str, raw: NDArray[Any], about: dict[str, Any], length: int, step_us: int | None) -> Track:
    rate = int(about["fs"])
    if rate % RATE_HZ:
        raise ValueError(f"expected a rate that is a multiple of {RATE_HZ} Hz, got {rate}")
    signal = raw.astype(np.float64) * float(about["lsb_g"]) * G
    if rate != RATE_HZ:
        signal = decimate(signal, rate // RATE_HZ)
    count = len(signal) // length
    if count == 0:
        raise ValueError(f"expected at least {length} samples, got {len(signal)}")
    windows = signal[: count * length].reshape(count, length).astype(np.float32)
    spacing_us = step_us or round(length * 1e6 / RATE_HZ)
    row = [float(about["rpm"]), float(about["load_hp"]) * HORSEPOWER_KW]
    return Track(
        machine=Machine(
            name=f"cwru-{key.lower().replace('_', '-')}",
            machine_class=MACHINE_CLASS,
            feature_set=FEATURE_SET,
        ),
        signals=SIGNALS,
        times_us=spacing_us * np.arange(1, count + 1, dtype=np.int64),
        values=np.tile(row, (count, 1)),
        waveform=Waveform(name="vibration", unit="m/s2", rate_hz=RATE_HZ, values=windows),
    )


def _fault(machine: str, key: str) -> Line:
    faulty = FAULTY_NAME.match(key)
    if faulty is None:
        return {"machine": machine, "fault": None, "mils": 0}
    return {"machine": machine, "fault": FAULTS[faulty["fault"]], "mils": int(faulty["mils"])}


def _load(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    beside = path.with_suffix(".json")
    try:
        described = json.loads(beside.read_text())
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise RecordingError(f"cannot read {path} with {beside.name} beside it: {error}") from error
    if not arrays:
        raise RecordingError(f"{path}: expected at least one recording, got none")
    return described, arrays
