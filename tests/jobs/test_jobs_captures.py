"""The upkeep of the store, as the worker runs it, lets captures go that are past their retention."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from cloud_hub.config import HubConfig, StoreSettings
from cloud_hub.hub import Hub, assemble
from cloud_hub.jobs import queue, tasks


@pytest.fixture
def hub(database: str, tmp_path) -> Iterator[Hub]:
    config = HubConfig(state_dir=tmp_path, database_url=database, store=StoreSettings(capture_days=10))
    with config.database() as opened:
        yield assemble(config, opened, config.time())


def test_upkeep_deletes_captures_past_their_retention(hub: Hub) -> None:
    now = hub.clock.now()
    with hub.database.transaction() as connection:
        connection.execute("INSERT INTO site (name) VALUES ('north')")
        connection.execute(
            "INSERT INTO device (name, site, profile, added) SELECT 'd', id, 'generic', now() FROM site"
        )
        connection.execute(
            "INSERT INTO machine (name, device, machine_class, added) SELECT 'm', id, 'x', now() FROM device"
        )
        connection.execute(
            "INSERT INTO signal (machine, name, unit, kind) SELECT id, 'x', 'm/s2', 'waveform' FROM machine"
        )
        connection.execute(
            """INSERT INTO capture (machine, signal, time, rate_hz, why, device, epoch, sequence, received, values)
               SELECT machine, id, time, 1, 'routine', 1, 1, 1, time, '' FROM signal, unnest(%s::timestamptz[]) AS time""",
            [[now - timedelta(days=days) for days in (1, 9, 11, 30)]],
        )
    app = tasks.build(hub, asyncio.Event())
    app.tasks[queue.MAINTAIN].func(timestamp=0)
    kept = hub.database.rows("SELECT time FROM capture ORDER BY time")
    assert [row["time"] for row in kept] == [now - timedelta(days=9), now - timedelta(days=1)]
