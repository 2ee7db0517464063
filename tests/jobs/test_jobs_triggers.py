"""`andon hub work` looks at triggers by itself, and queues the training that they call for."""

import json
import subprocess
import sys
import time

from rollout_world import USE_CASE, World

from cloud_hub.config import HubConfig
from cloud_hub.flows.champion import set_champion
from cloud_hub.hub import opened
from cloud_hub.jobs import queue
from wire.clock import Clock

PATIENCE_S = 60
TOML = """
title = "Pumps"
machine_class = "motor-pump"
feature_set = "trend/1"
task = "remaining-life"
signals = [{ name = "pressure", unit = "bar" }]
[life]
measured_in = "time"
unit = "h"
cap = 250.0
[costs]
currency = "EUR"
failure = 1
planned = 1
false_alarm = 1
[retrain]
failures = 1
"""


def test_a_worker_looks_at_triggers_and_queues_the_training_they_call_for(database, tmp_path):
    file = tmp_path / "hub.toml"
    file.write_text(f"database_url = {json.dumps(database)}\n")
    world = World(database)
    world.add_devices("edge-1")
    world.add_release(1)
    with opened(HubConfig.load(file)) as hub:
        hub.config.use_cases.mkdir()
        (hub.config.use_cases / f"{USE_CASE}.toml").write_text(TOML)
        with hub.database.transaction() as connection:
            set_champion(connection, USE_CASE, f"{USE_CASE}/1")
            connection.execute(
                "INSERT INTO label (machine, time, kind, source, added) "
                "SELECT id, %(now)s, 'failure', 'test', %(now)s FROM machine",
                {"now": Clock.real().now()},
            )
            queue.defer(connection, queue.LOOK, {"timestamp": 0})
        command = [sys.executable, "-m", "andon", "hub", "work", "--config", str(file)]
        with (
            (tmp_path / "work.log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as work,
        ):
            try:
                started = await_run(hub)
            finally:
                work.terminate()
    print((tmp_path / "work.log").read_text())
    world.close()
    assert started["settings"] == {"why": "1 new failure"}


def await_run(hub):
    """The row of the run that a trigger started."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        row = hub.database.row("SELECT * FROM run WHERE settings ? 'why'")
        if row:
            return row
        time.sleep(0.1)
    raise AssertionError("no trigger started a training")
