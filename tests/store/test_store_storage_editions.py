"""What is stored is told alike where TimescaleDB keeps the tables, compressed chunks and rollups of its own included."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud_hub.config import HubConfig, StoreSettings
from cloud_hub.store import partitions, rollups, storage
from cloud_hub.store.database import Database
from cloud_hub.store.migrate import migrate
from cloud_hub.store.storage import Storage
from wire.clock import Clock

STORE = StoreSettings(late_horizon_days=7, raw_retention_days=30)
NOW = datetime.now(UTC).replace(microsecond=0)
DAYS = (20, 3, 1)  # ago: the first is past the late horizon, so its chunk is compressed where that can be
EACH = 3600  # samples, one a second, of all signals together
SIGNALS = 6  # so that what TimescaleDB packs together is not full


def looked_at(url: str, folder: Path) -> Storage:
    config = HubConfig(state_dir=folder, store=STORE, clock=f"{NOW:%Y-%m-%dT%H:%M:%SZ},1.000001")
    migrate(url, config)
    with Database(url, most=1) as database:
        for ago in DAYS:
            values = {"start": NOW - timedelta(days=ago), "each": EACH, "signals": SIGNALS}
            database.execute(
                "INSERT INTO sample SELECT %(start)s::timestamptz + n * interval '1 second', n %% %(signals)s, n"
                " FROM generate_series(1, %(each)s) AS n",
                values,
            )
            database.execute(
                "INSERT INTO touched SELECT DISTINCT signal, date_trunc('hour', time) FROM sample WHERE time > %(start)s",
                values,
            )
    # policies compress by a real clock alone; with a scaled one, even of this factor, the hub does
    fast = Clock(Clock.real().now_us(), 1.000001, time.time())
    with Database(url).connect() as connection:
        rollups.turn(connection, STORE, fast)
        partitions.tidy(connection, STORE, fast)
        connection.execute(
            "SELECT pg_stat_force_next_flush()"
        )  # what the server saw coming counts before it looks
        connection.execute("ANALYZE")
    with Database(url, most=1) as database:
        return storage.look(database, STORE, fast)


def check(found: Storage, *, compressed: bool) -> None:
    tables = {each.name: each for each in found.tables}
    sample = tables["sample"]
    assert sample.rows == pytest.approx(EACH * len(DAYS), rel=0.05)
    assert sample.filled == sample.partitions >= len(DAYS)
    assert sample.bytes > 0
    assert sample.oldest is not None
    assert sample.oldest <= NOW - timedelta(days=DAYS[0]) < sample.oldest + timedelta(hours=5)
    assert (sample.compressed > 0) == compressed
    assert tables["rollup_minute"].rows == pytest.approx(SIGNALS * EACH * len(DAYS) / 60, abs=3 * SIGNALS)
    assert tables["rollup_minute"].oldest is not None
    assert tables["feature"].oldest is tables["feature"].drops is None
    assert found.capabilities["time_tables"].value == "hypertables"
    assert "sample" not in {each.name for each in found.others}
    assert found.bytes > sample.bytes


def test_the_apache_edition_tells_its_chunks(timescale_bare: str, state_root: Path) -> None:
    check(looked_at(timescale_bare, state_root), compressed=False)


def test_the_community_edition_tells_what_is_compressed_and_its_own_rollups(
    community_bare: str, state_root: Path
) -> None:
    check(looked_at(community_bare, state_root), compressed=True)
