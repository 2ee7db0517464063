"""The shape that every dataset must have, as a pandera schema over a Polars frame.

What breaks it cannot be explained by a machine or a sensor, only by a fault in Andon or
in the database, except for readings beyond what their sensor can show: those are counted.
"""

import pandera.polars as pa
import polars as pl

from models.examples import FAULTY, SOUND, UNKNOWN, Examples
from models.use_case import UseCase

Failures = dict[tuple[str, str], int]  # rows by (column, check)

OWN = ("machine", "time", "life", "life_age", "remaining_life", "health", "fault")


def failures(examples: Examples, signals: dict[str, int], use_case: UseCase) -> Failures:
    """What in ``examples`` does not fit, and in how many rows. ``signals``: column of features by signal."""
    try:
        _schema(examples, signals, use_case).validate(_frame(examples, signals), lazy=True)
    except pa.errors.SchemaErrors as error:
        counts = error.failure_cases.group_by("column", "check").len().rows()
        return {(str(column), str(check)): int(rows) for column, check, rows in sorted(counts, key=str)}
    return {}


def is_range(check: str) -> bool:
    """Whether it is the check that a broken sensor fails."""
    return check.startswith("in_range")


def _frame(examples: Examples, signals: dict[str, int]) -> pl.DataFrame:
    own = ("machine", "times", "life", "age", "remaining", "health", "fault")
    columns = {name: getattr(examples, attribute) for name, attribute in zip(OWN, own, strict=True)}
    columns |= {examples.names[column]: examples.features[:, column] for column in signals.values()}
    return pl.DataFrame(columns).with_columns(pl.col("remaining_life").fill_nan(None))


def _schema(examples: Examples, signals: dict[str, int], use_case: UseCase) -> pa.DataFrameSchema:
    declared = {signal.name: signal for signal in use_case.signals}
    columns = {
        "machine": pa.Column(pl.Int32, pa.Check.in_range(0, len(examples.machines) - 1)),
        "time": pa.Column(pl.Int64),
        "life": pa.Column(pl.Int32, pa.Check.ge(1)),
        "life_age": pa.Column(pl.Float32, pa.Check.ge(0)),
        "remaining_life": pa.Column(pl.Float32, pa.Check.ge(0), nullable=True),
        "health": pa.Column(pl.Int8, pa.Check.isin([UNKNOWN, SOUND, FAULTY])),
        "fault": pa.Column(pl.Int16, pa.Check.in_range(-1, len(examples.faults) - 1)),
    }
    for signal, column in signals.items():
        low, high = declared[signal].low, declared[signal].high
        as_read = examples.units[column] == declared[signal].unit  # else it is not the reading itself
        checks = []
        if as_read and (low is not None or high is not None):
            edges = (-float("inf") if low is None else low, float("inf") if high is None else high)
            checks = [pa.Check.in_range(*edges)]
        columns[examples.names[column]] = pa.Column(pl.Float32, checks)
    return pa.DataFrameSchema(columns, unique=["machine", "time"], strict=True)
