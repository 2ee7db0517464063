"""What the store knows about the machines of a use case, as of one moment.

One REPEATABLE READ snapshot of the database, nothing later than that moment:
no row, no label, and no label that was written down only afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np

from cloud_hub.dataset.lives import End, cut
from cloud_hub.errors import DatasetError
from cloud_hub.store.database import Connection, Database, Row, load_queries
from kernels import sets
from models.declared.machines import Life
from models.examples import UNKNOWN, Examples, Floats
from wire.clock import to_us
from wire.table import SignalKind, SignalTable

SQL = load_queries("cloud_hub.dataset")
CHUNK = 4000  # rows in flight: their numbers are Python objects until they are in an array


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a dataset asks the store for; kept in its manifest."""

    machine_class: str
    feature_set: str
    since: datetime
    until: datetime


def read(database: Database, query: Query, life: Life) -> Examples:
    """Everything the store holds for ``query``; DatasetError says what is missing or does not fit."""
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        machines, names, units = _machines(connection, query)
        values = {"since": query.since, "until": query.until, "feature_set": query.feature_set}
        values["machines"] = [row["id"] for row in machines]
        _check_widths(connection, values, machines, len(names))
        columns = _rows(connection, values, len(names))
        ends = connection.execute(SQL["ends"], values).fetchall()
    return _assemble(machines, columns, ends, life, names=names, units=units)


def _machines(connection: Connection, query: Query) -> tuple[list[Row], tuple[str, ...], tuple[str, ...]]:
    """The machines (id, name) sorted by name, and the features they all share."""
    found = connection.execute(SQL["machines"], {"machine_class": query.machine_class}).fetchall()
    found = [row for row in found if row["feature_set"] == query.feature_set]
    if not found:
        raise DatasetError(
            f"expected machines of class {query.machine_class!r} with features {query.feature_set!r}, "
            "got none: has a device with such machines been born at this hub?"
        )
    shapes: dict[tuple[tuple[str, ...], tuple[str, ...]], set[str]] = {}
    for row in found:
        shapes.setdefault(_features(row, query.feature_set), set()).add(row["name"])
    if len(shapes) > 1:
        kinds = "; ".join(
            f"{len(names)} features on {_some(shapes[names, units])}" for names, units in shapes
        )
        raise DatasetError(
            f"expected the same signals and units on every {query.machine_class}, "
            f"got {len(shapes)} kinds: {kinds}"
        )
    (names, units), _ = shapes.popitem()
    return list({row["name"]: row for row in found}.values()), names, units


def _features(row: Row, feature_set: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units of the features a device makes of a machine with this signal table."""
    table = SignalTable.from_fields(row["body"])
    scalars = table.signals_of(row["place"], SignalKind.SCALAR)
    waveforms = table.signals_of(row["place"], SignalKind.WAVEFORM)
    extractor = sets.make(
        feature_set,
        scalars=[signal.name for signal in scalars],
        waveforms=[(signal.name, signal.rate_hz, 0) for signal in waveforms],
        units={signal.name: signal.unit for signal in (*scalars, *waveforms)},
    )
    return extractor.names, extractor.units


def _check_widths(connection: Connection, values: dict[str, Any], machines: list[Row], width: int) -> None:
    names = {row["id"]: row["name"] for row in machines}
    found = connection.execute(SQL["widths"], values).fetchall()
    if not found:
        raise DatasetError(
            f"expected feature rows of {_some(names.values())} from {values['since']:%Y-%m-%d} "
            f"to {values['until']:%Y-%m-%d}, got none: do the devices run, and does ingest?"
        )
    wrong = [row for row in found if row["width"] != width]
    if wrong:
        rows = sum(row["rows"] for row in wrong)
        widths = ", ".join(map(str, sorted({row["width"] for row in wrong})))
        raise DatasetError(
            f"expected {width} features a row, got {widths} in {rows} rows of "
            f"{_some(names[row['machine']] for row in wrong)}: their signals changed; "
            "snapshot a span without those rows"
        )


def _rows(connection: Connection, values: dict[str, Any], width: int) -> dict[str, Any]:
    machine, times, features = [], [], []
    with connection.cursor(name="rows") as cursor:
        cursor.execute(SQL["rows"], values, binary=True)
        while chunk := cursor.fetchmany(CHUNK):
            machine += [row["machine"] for row in chunk]
            times += [to_us(row["time"]) for row in chunk]
            features.append(np.array([row["values"] for row in chunk], np.float32))
    stacked: Floats = np.concatenate(features).reshape(-1, width)
    sound = np.isfinite(stacked).all(axis=1)  # a NaN is a feature that could not be made then
    return {
        "id": np.array(machine, np.int64)[sound],
        "times": np.array(times, np.int64)[sound],
        "features": stacked[sound],
    }


def _assemble(
    machines: list[Row],
    columns: dict[str, Any],
    ends: list[Row],
    life: Life,
    *,
    names: tuple[str, ...],
    units: tuple[str, ...],
) -> Examples:
    ends_of = {
        machine: [End(time_us=to_us(row["time"]), failed=row["failed"]) for row in rows]
        for machine, rows in groupby(ends, key=lambda row: row["machine"])
    }
    order, lives, index = [], [], []
    for number, row in enumerate(machines):
        own = np.flatnonzero(columns["id"] == row["id"])
        order.append(own)
        lives.append(cut(columns["times"][own], ends_of.get(row["id"], ()), life))
        index.append(np.full(len(own), number, np.int32))
    rows = np.concatenate(order)
    return Examples(
        machines=tuple(row["name"] for row in machines),
        sites=tuple(row["site"] for row in machines),
        faults=(),
        names=names,
        units=units,
        machine=np.concatenate(index),
        times=columns["times"][rows],
        life=np.concatenate([found.number for found in lives]),
        age=np.concatenate([found.age for found in lives]),
        remaining=np.concatenate([found.remaining for found in lives]),
        health=np.full(len(rows), UNKNOWN, np.int8),
        fault=np.full(len(rows), -1, np.int16),
        features=columns["features"][rows],
    )


def _some(names: Any) -> str:
    """The first few names, and how many more there are."""
    ordered: Sequence[str] = sorted(set(names))
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return ", ".join(ordered[:3]) + more
