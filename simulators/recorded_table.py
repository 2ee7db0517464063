"""Recorded tables: CSV or Parquet with a time column, a column a signal and, perhaps, one for the machine.

Rows whose time cannot be read are left out, cells that are no finite number are
missing values; both are counted and told, never guessed.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.errors import RecordingError
from simulators.recorded import Recording, Track
from wire.clock import to_us
from wire.table import Machine

TIME_COLUMNS = ("time", "timestamp", "datetime", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How to read a table; empty names are found by themselves."""

    time_column: str = ""
    machine_column: str = ""
    machine_class: str = "recorded"
    feature_set: str = ""
    units: Mapping[str, str] = field(default_factory=dict)  # by column; the others are bare numbers
    leave_out: frozenset[str] = frozenset()  # columns that are no signals
    names: Mapping[str, str] = field(default_factory=dict)  # signal by column, where it differs


def read_csv(path: Path, layout: Layout) -> Recording:
    """Read a CSV file with a header; ``,``, ``;`` or a tab between cells."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            separator = max(",;\t", key=header.count)
            names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
            rows = list(csv.reader(file, delimiter=separator))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"cannot read {path}: {error}") from error
    whole = [row for row in rows if len(row) == len(names)]
    columns = dict(zip(names, zip(*whole, strict=True), strict=True)) if whole else {}
    lost = sum(1 for row in rows if row) - len(whole)
    return _recording(path, names, columns, layout, lost)


def read_parquet(path: Path, layout: Layout) -> Recording:
    try:
        from pyarrow import parquet  # noqa: PLC0415 - half a second that only Parquet is worth
    except ImportError as error:
        raise RecordingError("reading Parquet needs pyarrow: pip install 'andon[hub]'") from error
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise RecordingError(f"cannot read {path}: {error}") from error
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return _recording(path, list(table.column_names), columns, layout, 0)


def signal_name(column: str) -> str:
    """A column's title as a signal's name: ``Volume Flow (l/min)`` is ``Volume_Flow_l_min``."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", column).strip("_.-")[:63]


def _recording(
    path: Path, names: list[str], columns: Mapping[str, Sequence[object]], layout: Layout, lost: int
) -> Recording:
    time_column = layout.time_column or _time_column(path, names)
    for wanted in (time_column, layout.machine_column, *layout.units):
        if wanted and wanted not in names:
            raise RecordingError(f"{path}: expected a column {wanted!r}, got {', '.join(names)}")
    times = _times(columns.get(time_column, ()))
    good = times >= 0
    if not good.any():
        raise RecordingError(f"{path}: expected times in column {time_column!r}, not one could be read")
    taken = {time_column, layout.machine_column} | layout.leave_out
    values = {name: _numbers(columns[name])[good] for name in names if name not in taken}
    values = {name: column for name, column in values.items() if np.isfinite(column).any()}
    if not values:
        raise RecordingError(f"{path}: expected a column of numbers beside {time_column!r}, found none")
    machines = np.array([""] * len(times))
    if layout.machine_column:
        machines = np.array([str(cell) for cell in columns[layout.machine_column]])
    tracks = _tracks(path, times[good], machines[good], values, layout)
    return Recording(
        tracks=tuple(tracks),
        bad_rows=lost + int((~good).sum()),
        missing_values=sum(int((~np.isfinite(track.values)).sum()) for track in tracks),
    )


def _tracks(
    path: Path,
    times: NDArray[np.int64],
    machines: NDArray[np.str_],
    values: Mapping[str, NDArray[np.float64]],
    layout: Layout,
) -> list[Track]:
    matrix = np.column_stack(list(values.values()))
    signals = tuple(
        (layout.names.get(name) or signal_name(name), layout.units.get(name, "1")) for name in values
    )
    tracks = []
    for machine in np.unique(machines):
        mine = np.flatnonzero(machines == machine)
        mine = mine[np.argsort(times[mine], kind="stable")]
        name = signal_name(str(machine) or path.name.split(".")[0]).lower()
        tracks.append(
            Track(
                machine=Machine(
                    name=name, machine_class=layout.machine_class, feature_set=layout.feature_set
                ),
                signals=signals,
                times_us=times[mine],
                values=matrix[mine],
            )
        )
    return tracks


def _time_column(path: Path, names: list[str]) -> str:
    for wanted in TIME_COLUMNS:
        for name in names:
            if name.lower() == wanted:
                return name
    raise RecordingError(
        f"{path}: expected a column named {', '.join(TIME_COLUMNS)} or --time-column, "
        f"got {', '.join(names) or 'an empty file'}"
    )


def _times(cells: Sequence[object]) -> NDArray[np.int64]:
    """Microseconds since 1970; -1 where a cell is no time."""
    return np.array([_time(cell) for cell in cells], np.int64)


def _time(cell: object) -> int:
    """ISO 8601 (UTC where it names no zone) or a number of seconds, milli- or microseconds since 1970."""
    try:
        if isinstance(cell, str):
            cell = cell.strip()
            cell = float(cell) if re.fullmatch(r"[\d.]+", cell) else datetime.fromisoformat(cell)
        if isinstance(cell, datetime):
            return to_us(cell if cell.tzinfo else cell.replace(tzinfo=UTC))
        number = float(cell)  # type: ignore[arg-type]  # whatever is no number raises, and is no time
    except (TypeError, ValueError):
        return -1
    for scale in (1_000_000, 1000, 1):
        if 0 <= number * scale < 1e16:
            return round(number * scale)
    return -1


def _numbers(cells: Sequence[object]) -> NDArray[np.float64]:
    """Floats; NaN for whatever is no finite number."""
    numbers = np.array([_number(cell) for cell in cells], np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]  # whatever is no number raises, and is missing
    except (TypeError, ValueError):
        return float("nan")
