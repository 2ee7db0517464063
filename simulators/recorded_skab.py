"""The Skoltech water-circulation testbed (SKAB) as a recording: a file is a machine.

Its columns ``anomaly`` and ``changepoint`` are what a detector is scored by, so they
go to the truth and are no signals.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.errors import RecordingError
from simulators.recorded import Line, Recording, Track
from simulators.recorded_table import Layout, read_csv

MACHINE_CLASS = "water-loop"
FEATURE_SET = "deviation/1"
JUDGEMENTS = ("anomaly", "changepoint")
SIGNALS = {  # column: (signal, UCUM unit)
    "Accelerometer1RMS": ("accelerometer_1", "[g]"),
    "Accelerometer2RMS": ("accelerometer_2", "[g]"),
    "Current": ("current", "A"),
    "Pressure": ("pressure", "bar"),
    "Temperature": ("temperature", "Cel"),
    "Thermocouple": ("thermocouple", "Cel"),
    "Voltage": ("voltage", "V"),
    "Volume Flow RateRMS": ("flow", "L/min"),
}
LAYOUT = Layout(
    time_column="datetime",
    machine_class=MACHINE_CLASS,
    feature_set=FEATURE_SET,
    units={column: unit for column, (_signal, unit) in SIGNALS.items()},
    names={column: signal for column, (signal, _unit) in SIGNALS.items()},
)


def read_skab(path: Path) -> Recording:
    """Read one ``.csv`` of the testbed, or every one in a folder."""
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise RecordingError(f"expected .csv files in {path}, found none")
    recordings = [_read(file) for file in files]
    return Recording(
        tracks=tuple(track for recording in recordings for track in recording.tracks),
        notes={"anomalies.jsonl": [line for r in recordings for line in r.notes["anomalies.jsonl"]]},
        bad_rows=sum(recording.bad_rows for recording in recordings),
        missing_values=sum(recording.missing_values for recording in recordings),
    )


def _read(path: Path) -> Recording:
    recording = read_csv(path, LAYOUT)
    (whole,) = recording.tracks
    columns = [name for name, _unit in whole.signals]
    kept = [i for i, name in enumerate(columns) if name not in JUDGEMENTS]
    name = f"skab-{path.parent.name}-{path.stem}".lower()
    track = replace(
        whole,
        machine=replace(whole.machine, name=name),
        signals=tuple(whole.signals[i] for i in kept),
        values=whole.values[:, kept],
    )
    judged = {name: whole.values[:, columns.index(name)] for name in JUDGEMENTS if name in columns}
    return replace(recording, tracks=(track,), notes={"anomalies.jsonl": _marked(track, judged)})


def _marked(track: Track, judged: Mapping[str, NDArray[np.float64]]) -> list[tuple[int, Line]]:
    """A line for each moment that anyone judged to be out of order."""
    lines: list[tuple[int, Line]] = []
    for row, time_us in enumerate(track.times_us.tolist()):
        marks = {name: bool(column[row] == 1) for name, column in judged.items()}
        if any(marks.values()):
            lines.append((time_us, {"machine": track.machine.name} | marks))
    return lines
