"""Series for charts: any span in at most two thousand points, with every minimum and maximum kept.

A span with few rows is shown as it is. One with many is cut into equal buckets,
each told by its lowest and highest value: a spike of one sample stays visible
at the scale of a year, when the samples themselves are long gone. Beside a chart
stand its gaps: why there is nothing where nothing is shown.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud_hub.errors import NotFoundError
from cloud_hub.store.charts_series import points
from cloud_hub.store.database import Database, Row, load_queries

QUERIES = load_queries("cloud_hub.store", "charts.sql")
MOST_POINTS = 2000
MOST_GAPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Points in order of time; where ``low`` equals ``high`` everywhere these are the values themselves."""

    times: tuple[datetime, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A hole in what a machine sent, and why."""

    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """Predictions in order of time: remaining life, its interval and the anomaly score."""

    times: tuple[datetime, ...]
    releases: tuple[str, ...]
    remaining_life: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    anomaly: tuple[float, ...]


def series(
    database: Database, machine: str, signal: str, start: datetime, end: datetime, *, most: int = MOST_POINTS
) -> Chart:
    """Samples of one signal in [start, end); ``NotFoundError`` for an unknown signal."""
    with database.transaction() as connection:
        connection.execute(QUERIES["one_moment"])
        found = connection.execute(QUERIES["signal"], {"machine": machine, "signal": signal}).fetchone()
        if found is None:
            raise NotFoundError("signal", f"{machine}/{signal}")
        told = points(connection, found, start, end, most)
    times, low, high = zip(*told, strict=True) if told else ((), (), ())
    return Chart(times=times, low=low, high=high)


def gaps(
    database: Database, machine: str, start: datetime, end: datetime, *, most: int = MOST_GAPS
) -> tuple[Gap, ...]:
    """What is known to be missing of ``machine`` between ``start`` and ``end``, in order and cut to it."""
    values = {"machine": machine, "start": start, "end": end, "most": most}
    return tuple(
        Gap(start=max(row["start"], start), end=min(row["end"], end), reason=row["reason"])
        for row in database.rows(QUERIES["gaps"], values)
    )


def features(
    database: Database,
    machine: str,
    *,
    feature_set: str,
    column: int,
    start: datetime,
    end: datetime,
    most: int = MOST_POINTS,
) -> Chart:
    """One feature, by its index from 0 in the feature set, in [start, end)."""
    values = {
        "machine": machine,
        "feature_set": feature_set,
        "column": column + 1,
        "start": start,
        "end": end,
    }
    return _chart(_few_or_buckets(database, ("features", "feature_buckets"), values, most))


def predictions(
    database: Database,
    machine: str,
    use_case: str,
    start: datetime,
    end: datetime,
    *,
    most: int = MOST_POINTS,
) -> Outlooks:
    """Predictions of one use case for one machine in [start, end)."""
    releases = use_case.replace("_", r"\_") + "/%"
    values = {"machine": machine, "releases": releases, "start": start, "end": end}
    rows = _few_or_buckets(database, ("predictions", "prediction_buckets"), values, most)
    return Outlooks(
        times=_column(rows, "time"),
        releases=_column(rows, "release"),
        remaining_life=_column(rows, "remaining_life"),
        lower=_column(rows, "lower"),
        upper=_column(rows, "upper"),
        anomaly=_column(rows, "anomaly"),
    )


def _few_or_buckets(
    database: Database, queries: tuple[str, str], values: dict[str, Any], most: int
) -> list[Row]:
    """The rows themselves where they fit, else buckets, half as many: each is a low and a high point."""
    rows = database.rows(QUERIES[queries[0]], {**values, "most": most + 1})
    if len(rows) <= most:
        return rows
    width = max((values["end"] - values["start"]) / (most // 2), timedelta(microseconds=1))
    return database.rows(QUERIES[queries[1]], {**values, "width": width})


def _chart(rows: list[Row]) -> Chart:
    return Chart(times=_column(rows, "time"), low=_column(rows, "low"), high=_column(rows, "high"))


def _column(rows: list[Row], name: str) -> tuple[Any, ...]:
    return tuple(row[name] for row in rows)
