"""C-MAPSS turbofan engines (NASA PCoE; Saxena & Goebel 2008) as a recording.

One engine is one machine, one flight cycle one reading. The text has no clock,
so a cycle lasts ``step``. A training engine fails at its last cycle; a test
engine is cut off before, and its true remaining life is in ``RUL_*.txt``, which
goes to the truth and nowhere else. Names and units: Saxena et al., "Damage
propagation modeling for aircraft engine run-to-failure simulation", PHM 2008.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.errors import RecordingError
from simulators.recorded import Line, Recording, Track
from wire.table import Machine

MACHINE_CLASS = "turbofan"
FEATURE_SET = "condition-trend/1"
SIGNALS: tuple[tuple[str, str], ...] = (
    ("setting_1", "[ft_i]"),  # altitude, in thousands
    ("setting_2", "1"),  # Mach number
    ("setting_3", "deg"),  # throttle resolver angle
    ("T2", "[degR]"),
    ("T24", "[degR]"),
    ("T30", "[degR]"),
    ("T50", "[degR]"),
    ("P2", "[psi]"),
    ("P15", "[psi]"),
    ("P30", "[psi]"),
    ("Nf", "1/min"),
    ("Nc", "1/min"),
    ("epr", "1"),
    ("Ps30", "[psi]"),
    ("phi", "1"),
    ("NRf", "1/min"),
    ("NRc", "1/min"),
    ("BPR", "1"),
    ("farB", "1"),
    ("htBleed", "1"),
    ("Nf_dmd", "1/min"),
    ("PCNfR_dmd", "1/min"),
    ("W31", "[lb_av]/s"),
    ("W32", "[lb_av]/s"),
)
COLUMNS = 2 + len(SIGNALS)
FILE_NAME = re.compile(r"(?P<part>train|test)_(?P<set>FD\d{3})\.txt(\.gz)?", re.IGNORECASE)


def read_cmapss(path: Path, *, step_us: int) -> Recording:
    """Read ``train_FD00x.txt`` or ``test_FD00x.txt``, plain or gzipped."""
    named = FILE_NAME.fullmatch(path.name)
    if named is None:
        raise RecordingError(f"expected a file named like train_FD001.txt or test_FD001.txt.gz, got {path}")
    part, data_set = named["part"].lower(), named["set"].lower()
    rows = _load(path, COLUMNS)
    tracks = []
    for unit in np.unique(rows[:, 0]).astype(int).tolist():
        tracks.append(_track(f"{data_set}-{part}-{unit:03d}", rows[rows[:, 0] == unit], step_us))
    if part == "train":
        notes = {"labels.jsonl": [_failure(track) for track in tracks]}
    else:
        notes = {"rul.jsonl": _true_lives(path, named["set"], tracks)}
    return Recording(tracks=tuple(tracks), notes=notes)


def _track(name: str, rows: NDArray[np.float64], step_us: int) -> Track:
    cycles = rows[:, 1].astype(np.int64)
    if not np.array_equal(cycles, np.arange(1, len(cycles) + 1)):
        raise RecordingError(f"{name}: expected cycles 1 to {len(cycles)} in order, got a hole or a jump")
    return Track(
        machine=Machine(name=name, machine_class=MACHINE_CLASS, feature_set=FEATURE_SET),
        signals=SIGNALS,
        times_us=cycles * step_us,
        values=rows[:, 2:],
    )


def _failure(track: Track) -> tuple[int, Line]:
    return int(track.times_us[-1]), {"machine": track.machine.name, "kind": "failure"}


def _true_lives(path: Path, data_set: str, tracks: list[Track]) -> list[tuple[int, Line]]:
    beside = [path.with_name(f"RUL_{data_set.upper()}.txt{end}") for end in ("", ".gz")]
    found = next((file for file in beside if file.exists()), None)
    if found is None:
        raise RecordingError(f"expected the true remaining lives in {beside[0]}, found no such file")
    lives = _load(found, 1)[:, 0].astype(int).tolist()
    if len(lives) != len(tracks):
        raise RecordingError(f"{found}: expected {len(tracks)} remaining lives, got {len(lives)}")
    return [
        (int(track.times_us[-1]), {"machine": track.machine.name, "remaining_life": life})
        for track, life in zip(tracks, lives, strict=True)
    ]


def _load(path: Path, columns: int) -> NDArray[np.float64]:
    try:
        rows = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError, EOFError) as error:
        raise RecordingError(f"cannot read {path}: {error}") from error
    if rows.shape[1] != columns or len(rows) == 0:
        raise RecordingError(f"{path}: expected {columns} columns, got {rows.shape[1]} in {len(rows)} rows")
    if not np.isfinite(rows).all():
        raise RecordingError(f"{path}: expected finite numbers only")
    return rows
