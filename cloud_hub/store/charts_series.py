"""Samples of one signal as a chart of any span: from samples, from rollups, or from both at their seam.

The rows read are bounded like the points shown: a day of a fast signal is read from
its minutes. A bucket holds whole rollup rows, so each minimum and maximum stands
where it belongs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud_hub.store.charts_pieces import Kept, Level, Piece, Range, level_of, pieces
from cloud_hub.store.database import Connection, Row, load_queries
from wire.clock import to_datetime, to_us

QUERIES = load_queries("cloud_hub.store", "charts.sql")
MOST_SAMPLES = 300_000  # of one signal: more than that is read from its minutes
MOST_BARE_BYTES = 256 * 2**20  # of all signals, where no index leads to the one
BUCKETS = {
    Level.SAMPLE: "sample_buckets",
    Level.MINUTE: "minute_buckets",
    Level.HOUR: "hour_buckets",
}
_FOR_EVER = 2**62

Point = tuple[datetime, float, float]  # time, low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Buckets [origin + n * width, origin + (n + 1) * width), in microseconds."""

    origin: int
    width: int


def points(connection: Connection, signal: Row, start: datetime, end: datetime, most: int) -> list[Point]:
    """In order of time, at most ``most`` values; ``connection`` is in a transaction of one moment."""
    span = (to_us(start), to_us(end))
    if span[0] >= span[1]:
        return []
    values = {"signal": signal["id"], "start": start, "end": end, "newest": signal["newest"] or end}
    kept, bare_bytes = _kept(connection, values)
    wanted = (span[1] - span[0]) / (most // 2)
    level = level_of(wanted)
    if level is Level.SAMPLE and (bare_bytes > MOST_BARE_BYTES or _is_dense(connection, values, span)):
        level = Level.MINUTE
    grid = _grid(span, wanted, level)
    stale = [_stale(row) for row in connection.execute(QUERIES["stale"], values, prepare=False)]
    found = pieces(span, level, stale, kept)
    connection.execute(QUERIES["by_index"])
    values |= {"from": start, "most": most, "origin": to_datetime(grid.origin)}
    values["width"] = timedelta(microseconds=grid.width)
    if [piece.level for piece in found] == [Level.SAMPLE]:
        rows = _read(connection, "samples", found[0], values)
        return [(max(row["time"], start), row["low"], row["high"]) for row in rows]
    return _merge(
        (row for piece in found for row in _read(connection, BUCKETS[piece.level], piece, values)), start
    )


def _read(connection: Connection, query: str, piece: Piece, values: dict[str, Any]) -> list[Row]:
    of_piece = values | {"start": to_datetime(piece.start), "end": to_datetime(piece.end)}
    # planned for these very times: a plan for any would look at every partition
    return connection.execute(QUERIES[query], of_piece, prepare=False).fetchall()


def _merge(rows: Iterable[Row], start: datetime) -> list[Point]:
    """One point a bucket, for two pieces may meet in it."""
    found: dict[datetime, Point] = {}
    for row in rows:
        time, low, high = row["time"], row["low"], row["high"]
        if time in found:
            _, other_low, other_high = found[time]
            low, high = min(low, other_low), max(high, other_high)
        found[time] = (max(time, start), low, high)
    return [found[time] for time in sorted(found)]


def _grid(span: Range, wanted_us: float, level: Level) -> Grid:
    if level is Level.SAMPLE:
        return Grid(origin=span[0], width=max(1, round(wanted_us + 0.5)))
    return Grid(origin=0, width=max(1, -(-round(wanted_us) // level.value)) * level.value)


def _kept(connection: Connection, values: dict[str, Any]) -> tuple[Kept, float]:
    """Since when there are samples and minutes, and the bytes of the span that no index covers."""
    samples = _since(connection, "sample", values)
    minutes = _since(connection, "rollup_minute", values)
    kept = Kept(
        sample=_FOR_EVER if samples["since"] is None else to_us(samples["since"]),
        minute=0 if minutes["since"] is None else to_us(minutes["since"]),
    )
    return kept, samples["bare_bytes"] or 0.0


def _since(connection: Connection, table: str, values: dict[str, Any]) -> Row:
    row = connection.execute(QUERIES["kept"], values | {"table": table}, prepare=False).fetchone()
    assert row is not None, "it counts"
    if row["parts"] and row["since"] is None:  # not partitions but the chunks of a hypertable
        chunks = connection.execute(QUERIES["kept_chunks"], {"table": table}).fetchone()
        return row | (chunks or {})
    return row


def _is_dense(connection: Connection, values: dict[str, Any], span: Range) -> bool:
    row = connection.execute(QUERIES["density"], values, prepare=False).fetchone()
    an_hour = row["most"] if row else None
    return (an_hour or 0) * (span[1] - span[0]) / Level.HOUR.value > MOST_SAMPLES


def _stale(row: Row) -> Range:
    hour, since = to_us(row["hour"]), to_us(row["since"])
    return since // Level.MINUTE.value * Level.MINUTE.value, hour + Level.HOUR.value
