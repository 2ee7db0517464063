"""A chart of any span shows, bucket by bucket, what a look at every sample shows."""

import random
import time
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from cloud_hub.config import StoreSettings
from cloud_hub.store import charts, partitions, rollups
from cloud_hub.store.database import Connection, Database
from wire.clock import Clock, to_datetime, to_us

MINUTE, HOUR, DAY = 60_000_000, partitions.HOUR_US, partitions.DAY_US
NOW = 1_700_000_000_000_000
CLOCK = Clock(NOW, 1.000001, time.time())
STORE = StoreSettings(late_horizon_days=59.0, raw_retention_days=60.0)


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database) as opened:
        opened.execute("INSERT INTO site (name) VALUES ('north')")
        opened.execute(
            "INSERT INTO device (name, site, profile, added) SELECT told, site.id, 'generic', %(now)s"
            " FROM site, unnest('{press-01,press-02}'::text[]) AS told",
            {"now": to_datetime(NOW)},
        )
        opened.execute(
            "INSERT INTO machine (name, device, machine_class, added)"
            " SELECT 'pump-' || right(name, 1), id, 'pump', added FROM device ORDER BY id"
        )
        opened.execute(
            "INSERT INTO signal (machine, name, unit, kind) SELECT id, 'heat', 'Cel', 'scalar' FROM machine"
        )
        yield opened


@pytest.fixture
def connection(store: Database) -> Iterator[Connection]:
    with store.connect() as connection:
        partitions.ensure(connection, STORE, CLOCK)
        yield connection


def write(connection: Connection, times: np.ndarray, values: np.ndarray) -> None:
    """Samples of the first machine's signal, and that their hours were touched."""
    rows = {
        "signal": connection.execute("SELECT min(id) AS id FROM signal").fetchone()["id"],
        "times": [to_datetime(moment) for moment in times.tolist()],
        "values": values.tolist(),
    }
    connection.execute(
        "INSERT INTO sample SELECT time, %(signal)s, value"
        " FROM unnest(%(times)s::timestamptz[], %(values)s::float8[]) AS told (time, value)",
        rows,
    )
    connection.execute(
        "INSERT INTO touched SELECT %(signal)s, date_trunc('hour', time), min(time)"
        " FROM unnest(%(times)s::timestamptz[]) AS time GROUP BY 2",
        rows,
    )


def recount(
    labels: list[int], times: np.ndarray, values: np.ndarray
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lowest and highest of the samples that lie from each label to the next."""
    place = np.searchsorted(labels, times, "right") - 1
    assert (place >= 0).all(), "a sample lies before the first bucket"
    low, high = np.full(len(labels), np.inf), np.full(len(labels), -np.inf)
    np.minimum.at(low, place, values)
    np.maximum.at(high, place, values)
    return tuple(low.tolist()), tuple(high.tolist())


def test_charts_of_any_span_equal_a_recount_while_samples_come_late(
    store: Database, connection: Connection
) -> None:
    draw, rng = random.Random(1), np.random.default_rng(1)
    times = NOW - np.arange(1, 6_000) * 250_000_000 - rng.integers(0, 10**8, 5_999)
    values = rng.normal(size=len(times))
    write(connection, times, values)
    for number in range(60):
        if number % 20 == 10:
            rollups.turn(connection, STORE, CLOCK)
        if number % 8 == 5:
            late = NOW - rng.integers(1, 17 * DAY, 5)
            spikes = rng.normal(size=5) * 100
            write(connection, late, spikes)
            times, values = np.concatenate([times, late]), np.concatenate([values, spikes])
        length = round(10 ** draw.uniform(6, 12.7))
        start = NOW - draw.randrange(length, 20 * DAY + length)
        inside = (times >= start) & (times < start + length)
        most = draw.choice((100, charts.MOST_POINTS))
        chart = charts.series(
            store, "pump-1", "heat", to_datetime(start), to_datetime(start + length), most=most
        )
        assert len(chart.times) <= most
        labels = [to_us(moment) for moment in chart.times]
        assert labels == sorted(set(labels))
        assert recount(labels, times[inside], values[inside]) == (chart.low, chart.high)


def test_a_signal_of_many_samples_is_drawn_from_its_minutes_with_its_spike(
    store: Database, connection: Connection
) -> None:
    hour = to_datetime(NOW // HOUR * HOUR - 2 * HOUR)
    connection.execute(
        "INSERT INTO sample SELECT %(hour)s + n * interval '10 ms', (SELECT min(id) FROM signal),"
        " CASE n WHEN 123456 THEN 1e6 ELSE n %% 100 END FROM generate_series(0, 359999) AS n",
        {"hour": hour},
    )
    connection.execute(
        "INSERT INTO touched SELECT min(id), %(hour)s::timestamptz FROM signal", {"hour": hour}
    )
    before = charts.series(store, "pump-1", "heat", hour, hour + timedelta(hours=1))
    assert len(before.times) == 1000
    rollups.turn(connection, STORE, CLOCK)
    chart = charts.series(store, "pump-1", "heat", hour, hour + timedelta(hours=1))
    assert len(chart.times) == 60
    assert (min(chart.low), max(chart.high)) == (0, 1e6)
    assert max(before.high) == 1e6
    assert chart.high.index(1e6) == 20


def test_a_chart_outlives_the_samples_it_was_made_of(store: Database, connection: Connection) -> None:
    times = NOW - 40 * DAY - np.arange(1, 500) * 300_000_000
    values = np.sin(times)
    write(connection, times, values)
    rollups.turn(connection, STORE, CLOCK)
    short = STORE.model_copy(update={"raw_retention_days": 30.0, "late_horizon_days": 20.0})
    assert partitions.tidy(connection, short, CLOCK)
    assert store.row("SELECT count(*) AS n FROM sample")["n"] == 0
    for length in (timedelta(hours=12), timedelta(days=59)):
        end = to_datetime(NOW - 40 * DAY)
        chart = charts.series(store, "pump-1", "heat", end - length, end)
        inside = times >= to_us(end - length)
        assert (min(chart.low), max(chart.high)) == (values[inside].min(), values[inside].max())


def test_a_chart_is_of_one_moment_and_of_no_other_machine(store: Database, connection: Connection) -> None:
    write(connection, np.array([NOW - HOUR]), np.array([1.0]))
    span = (to_datetime(NOW - DAY), to_datetime(NOW))
    assert charts.series(store, "pump-1", "heat", *span).low == (1.0,)
    assert charts.series(store, "pump-2", "heat", *span).times == ()
    assert charts.series(store, "pump-1", "heat", span[1], span[0]).times == ()


def test_gaps_beside_a_chart_are_those_of_the_machine_and_of_its_device(store: Database) -> None:
    start, end = to_datetime(NOW - 10 * HOUR), to_datetime(NOW)
    for device, machine, back, length, reason in (
        ("press-01", None, 11, 2, "agent-down"),
        ("press-01", "pump-1", 5, 1, "sensor-silent"),
        ("press-02", None, 5, 1, "agent-down"),
        ("press-01", None, 30, 1, "agent-down"),
    ):
        store.execute(
            "INSERT INTO gap (device, machine, from_time, to_time, reason, noted)"
            " SELECT device.id, (SELECT id FROM machine WHERE name = %(machine)s), %(from)s, %(to)s, %(reason)s,"
            " %(to)s FROM device WHERE name = %(device)s",
            {
                "device": device,
                "machine": machine,
                "from": to_datetime(NOW - back * HOUR),
                "to": to_datetime(NOW - (back - length) * HOUR),
                "reason": reason,
            },
        )
    store.execute(
        "INSERT INTO gap (device, epoch, first_sequence, last_sequence, reason, noted)"
        " SELECT id, 1, 4, 9, 'lost-at-hub', added FROM device"
    )
    assert charts.gaps(store, "pump-1", start, end) == (
        charts.Gap(start=start, end=to_datetime(NOW - 9 * HOUR), reason="agent-down"),
        charts.Gap(
            start=to_datetime(NOW - 5 * HOUR), end=to_datetime(NOW - 4 * HOUR), reason="sensor-silent"
        ),
    )
