"""What ingest stores reaches the rollups and the charts."""

import time
from datetime import timedelta

from cloud_hub.config import StoreSettings
from cloud_hub.store import charts, partitions, rollups
from cloud_hub.store.database import Database
from tests.ingest.ingest_world import Process, Sender, add_device
from wire.clock import Clock, to_datetime

HOUR = partitions.HOUR_US


def test_what_ingest_stores_is_rolled_up(database: str) -> None:
    with Database(database) as opened, opened.connect() as connection:
        add_device(opened, "press-01")
        process, sender = Process(opened), Sender()
        process.born(sender)
        start = round(time.time() * 1e6) // HOUR * HOUR - HOUR
        process.take(sender.arrival(sender.samples([3.0, 1.0, 2.0], start=start)))
        process.take(sender.arrival(sender.samples([9.0], start=start + 70 * 1_000_000)))
        rollups.turn(connection, StoreSettings(), Clock.real())
        minutes = opened.rows("SELECT count, low, high, sum FROM rollup_minute ORDER BY time")
        assert [tuple(row.values()) for row in minutes] == [(3, 1.0, 3.0, 6.0), (1, 9.0, 9.0, 9.0)]
        chart = charts.series(
            opened, "pump-1", "temperature", to_datetime(start), to_datetime(start) + timedelta(days=2)
        )
        assert (min(chart.low), max(chart.high)) == (1.0, 9.0)
