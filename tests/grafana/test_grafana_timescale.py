"""The dashboard's queries on TimescaleDB: hypertables, continuous aggregates, as the role that reads nothing else."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from cloud_hub.config import HubConfig, StoreSettings
from cloud_hub.store import partitions, rollups
from cloud_hub.store.database import Database
from cloud_hub.store.migrate import migrate
from tests.grafana.grafana_queries import Asked, expanded
from tests.grafana.test_grafana_dashboard import FOLDER, QUERIES, text_of
from tests.ingest.ingest_world import add_device

SPANS = ((3, "10s"), (24, "1m"), (24 * 90, "1h"))


@pytest.mark.slow
def test_every_query_runs_on_hypertables_and_continuous_aggregates(
    community_bare: str, state_root: Path
) -> None:
    config = HubConfig(state_dir=state_root, store=StoreSettings(late_horizon_days=7, raw_retention_days=30))
    migrate(community_bare, config)
    clock = config.time()
    now = clock.now()
    with Database(community_bare, most=1) as store:
        add_device(store, "cell-1")
        store.execute("INSERT INTO machine VALUES (DEFAULT, 'pump-1', 1, 'pump', '', %(now)s)", {"now": now})
        store.execute("INSERT INTO signal (machine, name, unit, kind) VALUES (1, 'flow', '', 'scalar')")
        fill = """
            INSERT INTO sample SELECT time, 1, 5 FROM generate_series(%(from)s::timestamptz, %(now)s, '10 s') AS time"""
        store.execute(fill, {"from": now - timedelta(hours=3), "now": now})
        store.execute("INSERT INTO touched SELECT DISTINCT 1, date_trunc('hour', time) FROM sample")
        store.execute((FOLDER / "role.sql").read_text())
    with Database(community_bare).connect() as connection:
        partitions.ensure(connection, config.store, clock)
        rollups.turn(connection, config.store, clock)
        connection.execute(
            "SET ROLE andon_grafana"
        )  # this server takes one session: the role cannot have its own
        for name in QUERIES:
            for hours, interval in SPANS:
                asked = Asked(end=now, span=timedelta(hours=hours), interval=interval, timescale=True)
                found = connection.execute(expanded(text_of(name), asked)).fetchall()
                assert found or name != "panels/signal", hours
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT FROM person")
