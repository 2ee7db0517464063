"""The Case Western bearing recordings (drive end accelerometer) as windows of a waveform.

One bearing is one machine, which runs at each of its loads in turn: who splits by machine
then splits by bearing. The recordings were not made alike, and each difference tells the
faults apart without a look at the bearing: faulty ones were sampled at 12 kHz, the sound
one at 48 kHz, and the step of the converter differs by a factor of ten. So all are
brought to one instrument: the same low-pass at the same rate, then the same rounding,
dithered, to a step coarser than any of them had. What each bearing suffered from goes
to the truth, as labels that the hub can import.
"""

import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.errors import RecordingError
from simulators.recorded import Line, Recording, Track, Waveform
from wire.errors import defect
from wire.table import Bearing, Machine

MACHINE_CLASS = "bearing-rig"
FEATURE_SET = "bearing/1"
BEARING = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)  # at the drive end: an SKF 6205-2RS JEM
RATE_HZ = 12_000
PASS_HZ, STOP_HZ = 5_000, 5_400  # of the low-pass
RIPPLE_DB = 100.0  # below the passed band: less than the dither
STEP = 2.0**-7  # m/s2: every multiple up to 2^17 fits a float32 exactly, so that no rounding shows either
HOP = 4_096  # samples between the starts of windows that are longer
G = 9.80665  # m/s2
HORSEPOWER_KW = 0.745700
SIGNALS = (("speed", "1/min"), ("load", "kW"))
FAULTS = {"B": "ball", "IR": "inner race", "OR": "outer race"}
KEY = re.compile(r"(?P<bearing>\w+)_(?P<load>\d)_(?P<number>\d+)")
FAULTY = re.compile(r"(?P<fault>B|IR|OR)(?P<mils>\d{3})(at\d+)?")


def read_cwru(path: Path, *, length: int, step_us: int | None) -> Recording:
    """Read an ``.npz`` of int16 with its ``.json`` beside it, in windows of ``length``.

    Windows of up to 4096 samples do not overlap; longer ones begin 4096 samples after each other.
    ``step_us`` is the time between windows; None: as they were recorded.
    """
    described, arrays = _load(path)
    tracks, faults, labels = [], [], []
    for bearing, keys in _bearings(path, arrays).items():
        runs = []
        for key in keys:
            try:
                runs.append(_run(key, arrays[key], described[key], length))
            except (KeyError, TypeError, ValueError) as error:
                raise RecordingError(f"{path}: recording {key}: {defect(error)}") from error
        track = _track(bearing, runs, step_us or round(min(length, HOP) * 1e6 / RATE_HZ))
        tracks.append(track)
        fault = _fault(track.machine.name, bearing)
        faults.append((int(track.times_us[0]), fault))
        labels.append((int(track.times_us[-1]), _label(fault)))
    return Recording(tracks=tuple(tracks), notes={"faults.jsonl": faults, "labels.jsonl": labels})


def to_instrument(
    signal: NDArray[np.float64], rate_hz: int, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """``signal`` (m/s2) as one instrument would have recorded it: at 12 kHz, in steps of ``STEP``.

    The low-pass is a windowed sinc (Kaiser) without phase shift; the ends, where it would lack samples,
    are left out. The dither is triangular, two steps wide: the error is then noise of one level,
    whatever the signal (Lipshitz, Wannamaker & Vanderkooy, J. Audio Eng. Soc. 40, 1992).
    """
    if rate_hz % RATE_HZ:
        raise ValueError(f"expected a rate that is a multiple of {RATE_HZ} Hz, got {rate_hz}")
    smooth = np.convolve(signal, _low_pass(rate_hz), "valid")[:: rate_hz // RATE_HZ]
    dither = rng.random(len(smooth)) - rng.random(len(smooth))
    steps: NDArray[np.float64] = np.round(smooth / STEP + dither) * STEP
    return steps


def _low_pass(rate_hz: int) -> NDArray[np.float64]:
    """Taps by Kaiser's formulas: as many as the ripple and the width of the edge ask for."""
    edge = 2 * np.pi * (STOP_HZ - PASS_HZ) / rate_hz
    reach = int(np.ceil((RIPPLE_DB - 7.95) / (2.285 * edge) / 2))
    taps = np.arange(-reach, reach + 1)
    beta = 0.1102 * (RIPPLE_DB - 8.7)
    kernel = np.sinc((PASS_HZ + STOP_HZ) / rate_hz * taps) * np.kaiser(len(taps), beta)
    level: NDArray[np.float64] = kernel / kernel.sum()
    return level


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One bearing at one load."""

    windows: NDArray[np.float32]  # [m, length]
    speed_rpm: float
    load_kw: float


def _bearings(path: Path, keys: Iterable[str]) -> dict[str, list[str]]:
    """The recordings of each bearing, by load."""
    found: dict[str, list[str]] = {}
    for key in sorted(keys):
        named = KEY.fullmatch(key)
        if named is None:
            raise RecordingError(f"{path}: expected recordings named like OR007at6_0_130, got {key}")
        found.setdefault(named["bearing"], []).append(key)
    return found


def _run(key: str, raw: NDArray[Any], about: dict[str, Any], length: int) -> _Run:
    step = float(about["lsb_g"]) * G
    if not 0 < step <= STEP:
        raise ValueError(f"expected a converter step above 0 and up to {STEP} m/s2, got {step:g}")
    rng = np.random.default_rng(list(key.encode()))  # the same recording gives the same readings
    signal = to_instrument(raw.astype(np.float64) * step, int(about["fs"]), rng=rng)
    if len(signal) < length:
        raise ValueError(f"expected at least {length} samples, got {len(signal)}")
    windows = np.lib.stride_tricks.sliding_window_view(signal, length)[:: min(length, HOP)]
    return _Run(
        windows=windows.astype(np.float32),
        speed_rpm=float(about["rpm"]),
        load_kw=float(about["load_hp"]) * HORSEPOWER_KW,
    )


def _track(bearing: str, runs: Sequence[_Run], spacing_us: int) -> Track:
    windows = np.concatenate([run.windows for run in runs])
    values = [[run.speed_rpm, run.load_kw] for run in runs for _ in run.windows]
    machine = Machine(
        name=f"cwru-{bearing.lower()}",
        machine_class=MACHINE_CLASS,
        feature_set=FEATURE_SET,
        bearing=BEARING,
    )
    return Track(
        machine=machine,
        signals=SIGNALS,
        times_us=spacing_us * np.arange(1, len(windows) + 1, dtype=np.int64),
        values=np.array(values),
        waveform=Waveform(name="vibration", unit="m/s2", rate_hz=RATE_HZ, values=windows),
    )


def _fault(machine: str, bearing: str) -> Line:
    faulty = FAULTY.fullmatch(bearing)
    if faulty is None:
        return {"machine": machine, "fault": None, "mils": 0}
    return {"machine": machine, "fault": FAULTS[faulty["fault"]], "mils": int(faulty["mils"])}


def _label(fault: Line) -> Line:
    """What an engineer would say who took the bearing out after the recording: it was so from the start."""
    return {
        "machine": fault["machine"],
        "kind": "verdict",
        "verdict": "wrong" if fault["fault"] is None else "right",
        "fault": fault["fault"],
        "since": 0,
    }


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
