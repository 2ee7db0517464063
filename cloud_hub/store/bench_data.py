"""A store as a factory fills it in a day, with rollups of a week: a PostgreSQL of its own, gone at the end.

Samples are made by the server, then indexed, rolled up and vacuumed by the code that
does so in a running hub.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud_hub.config import HubConfig, StoreSettings
from cloud_hub.parts.postgres import Postgres
from cloud_hub.store import partitions, rollups
from cloud_hub.store.bench_stage import BenchStage
from cloud_hub.store.database import Connection, Database, load_queries
from cloud_hub.store.migrate import migrate
from wire.clock import Clock, to_datetime

QUERIES = load_queries("cloud_hub.store", "bench_data.sql")
# Partitions of an hour, for a week, as many as there may be at once.
SETTINGS = StoreSettings(
    partition_hours=1.0, late_horizon_days=7.0, raw_retention_days=7.5, ahead_partitions=6
)
HOURS = 24
DAYS = 7
AGO_DAYS = 20  # far enough in the past for a clock that runs fast not to catch up
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """``slow`` signals at 1 Hz and one at ``fast_hz``, for a day."""

    slow: int
    fast_hz: int

    @property
    def rows_per_second(self) -> int:
        return self.slow + self.fast_hz

    @property
    def rows(self) -> int:
        return self.rows_per_second * 3600 * HOURS


class BenchStore(BenchStage):
    """``with BenchStore(scale) as store``: it is filled; ``store.end_us`` is when its newest hour ended."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale = scale
        self.end_us = (Clock.real().now_us() // partitions.HOUR_US - AGO_DAYS * 24) * partitions.HOUR_US
        self.rolled_up_per_s = 0.0
        self.dropped_caches = False
        self._server = Postgres(self.folder / "postgres", ephemeral=True)
        self.conninfo = ""

    def _start(self) -> None:
        self.conninfo = self._server.start()
        self._stack.callback(self._server.stop)
        clock = still(self.end_us)
        migrate(self.conninfo, HubConfig(state_dir=self.folder, store=SETTINGS, clock=str(clock)))
        with Database(self.conninfo).connect() as connection:
            self._fill(connection, clock)

    def make_cold(self) -> None:
        """A server that has just started, and an operating system that remembers none of its files."""
        self._server.stop()
        try:
            DROP_CACHES.write_text("3")
            self.dropped_caches = True
        except OSError:
            self.dropped_caches = False
        self.conninfo = self._server.start()

    def row(self, query: str) -> dict[str, Any]:
        with Database(self.conninfo).connect() as connection:
            row = connection.execute(QUERIES[query]).fetchone()
        return row or {}

    def _fill(self, connection: Connection, clock: Clock) -> None:
        partitions.ensure(connection, SETTINGS, clock)
        now = to_datetime(self.end_us)
        values = {"slow": self.scale.slow, "fast_hz": self.scale.fast_hz, "now": now}
        connection.execute(QUERIES["machine"], values)
        connection.execute(QUERIES["signals"], values)
        step = f"{1 / self.scale.fast_hz} seconds"
        for back in range(HOURS, 0, -1):
            hour = to_datetime(self.end_us - back * partitions.HOUR_US)
            connection.execute(QUERIES["hour_of_samples"], values | {"hour": hour, "step": step})
            connection.execute(QUERIES["hour_touched"], {"hour": hour})
        connection.execute(QUERIES["latest"], values)
        partitions.summarise(connection)
        began = time.monotonic()
        rollups.turn(connection, SETTINGS, clock)
        self.rolled_up_per_s = self.scale.rows / (time.monotonic() - began)
        self._fill_rollups(connection)
        # one moment earlier, for the newest hour is the one that is still written
        partitions.tidy(connection, SETTINGS, still(self.end_us - 1_000_000))
        connection.execute("VACUUM (ANALYZE)")  # what autovacuum does meanwhile in a day

    def _fill_rollups(self, connection: Connection) -> None:
        start = self.end_us - DAYS * partitions.DAY_US
        values = {"start": to_datetime(start), "end": to_datetime(self.end_us - HOURS * partitions.HOUR_US)}
        connection.execute(QUERIES["minutes"], values)
        connection.execute(QUERIES["hours"], values)


def still(now_us: int) -> Clock:
    """A clock that reads ``now_us`` now and follows no wall clock."""
    return Clock(now_us, 1.000001, time.time())
