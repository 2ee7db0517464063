"""What tells bearing recordings apart without a look at the bearing, and whether any of it is left.

Case Western sampled the sound bearing faster than the others and set the converter's
range by how loud a recording was. Whoever learns from the samples can learn that
instead of the fault. A probe gets such features alone: the smallest difference between
two sample values (the converter's step), and the power just below 6 kHz, where the
low-pass of the decimation shows. On the recordings as they are it tells the classes;
on what a replay feeds to agents it must not.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from wire.feed import Frame, FrameReader, Hello, Reading

LENGTH = 4096  # samples of a window at 12 kHz
EDGE_HZ, NYQUIST_HZ, PARTS = 5_500, 6_000, 4
TREES = 200
NONE = "sound"  # in place of a fault
HORSEPOWER_KW = 0.7457
JUDGED_LOAD = 2  # hp

Windows = NDArray[np.float64]


def figures(
    archive: Path, folder: Path, faults: Mapping[str, str], *, seeds: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """What a probe makes of the recordings in ``archive``; ``faults`` by machine, ``folder`` to work in."""
    label = "bearing-fault, balanced accuracy of a probe of shortcuts"
    before, after = as_recorded(archive, faults), as_fed(archive, folder, faults)
    yield {
        "figure": f"{label}, as recorded",
        "value": np.mean([before.accuracy(s) for s in seeds]),
        "unit": "1",
    }
    yield {
        "figure": f"{label}, as fed to agents",
        "value": np.mean([after.accuracy(seed) for seed in seeds]),
        "unit": "1",
        "reference": "chance",
        "reference_value": 1 / len(set(faults.values())),
        "bar": "<= 1.25",
        "exact": True,
    }


class Shown:
    """Features of a probe, with what they are asked about: class, and whether they are judged on."""

    def __init__(self) -> None:
        self.rows: list[Windows] = []
        self.classes: list[str] = []
        self.judged: list[bool] = []

    def take(self, windows: Windows, rate_hz: int, fault: str, load: int) -> None:
        """The windows [m, n] of one recording. There is one of a sound bearing: its later half is judged."""
        rows = shortcuts(windows, rate_hz)
        late = np.arange(len(rows)) >= len(rows) // 2
        self.rows.append(rows)
        self.classes += [fault] * len(rows)
        self.judged += late.tolist() if fault == NONE else [load == JUDGED_LOAD] * len(rows)

    def accuracy(self, seed: int) -> float:
        """Mean over classes of the share told right, of a forest that learnt on the rest."""
        rows, classes = np.concatenate(self.rows), np.array(self.classes)
        judged = np.array(self.judged)
        probe = RandomForestClassifier(TREES, class_weight="balanced", random_state=seed, n_jobs=1)
        probe.fit(rows[~judged], classes[~judged])
        return float(balanced_accuracy_score(classes[judged], probe.predict(rows[judged])))


def shortcuts(windows: Windows, rate_hz: int) -> Windows:
    """[m, 5]: the smallest difference between two values, and the logarithm of four powers below 6 kHz."""
    ordered = np.diff(np.sort(windows, axis=1), axis=1)
    step = np.where(ordered > 1e-9, ordered, np.inf).min(axis=1)
    centred = (windows - windows.mean(axis=1, keepdims=True)) * np.hanning(windows.shape[1])
    power = np.abs(np.fft.rfft(centred, axis=1)) ** 2
    hertz = np.arange(power.shape[1]) * (rate_hz / windows.shape[1])
    above = power[:, (hertz >= EDGE_HZ) & (hertz < NYQUIST_HZ - 10)]
    parts = [part.mean(axis=1) for part in np.array_split(above, PARTS, axis=1)]
    return np.column_stack([step, *np.log(np.array(parts) + 1e-30)])


def as_recorded(path: Path, faults: Mapping[str, str]) -> Shown:
    """The samples in the archive as they are; ``faults`` by bearing."""
    described = json.loads(path.with_suffix(".json").read_text())
    shown = Shown()
    with np.load(path, allow_pickle=False) as archive:
        for key in archive.files:
            bearing, about = key.split("_")[0].lower(), described[key]
            signal = archive[key] * float(about["lsb_g"])
            rate, length = int(about["fs"]), LENGTH * int(about["fs"]) // 12_000
            windows = signal[: len(signal) // length * length].reshape(-1, length)
            shown.take(windows, rate, faults[f"cwru-{bearing}"], int(about["load_hp"]))
    return shown


def as_fed(path: Path, folder: Path, faults: Mapping[str, str]) -> Shown:
    """The windows that agents get from a replay, recorded in ``folder``."""
    shown = Shown()
    for (machine, load), windows in _fed(path, folder).items():
        shown.take(np.array(windows), 12_000, faults[machine], load)
    return shown


def _fed(path: Path, folder: Path) -> dict[tuple[str, int], list[NDArray[np.float32]]]:
    """The windows of each machine at each load (hp)."""
    out = folder / "windows"
    command = [sys.executable, "-m", "andon", "sim", "record", "replay", "cwru", str(path)]
    command += ["--length", str(LENGTH), "--out", str(out), "--truth", str(folder / "truth of windows")]
    subprocess.run(command, check=True, capture_output=True)
    found: dict[tuple[str, int], list[NDArray[np.float32]]] = {}
    table = None
    for frame in _frames(out):
        if isinstance(frame, Hello):
            table = frame.table
        elif isinstance(frame, Reading):
            assert table is not None
            names = {signal.id: signal.name for signal in table.signals}
            values = {names[signal]: value for signal, value in zip(frame.signals, frame.values, strict=True)}
            key = (table.machines[frame.machine].name, round(values["load"] / HORSEPOWER_KW))
            found.setdefault(key, []).append(frame.windows[0].values)
    return found


def _frames(path: Path) -> Iterator[Frame]:
    with path.open("rb") as file:
        reader = FrameReader(file)
        while (frame := reader.receive()) is not None:
            yield frame
