"""A plant of thousands of machines as it is after a while, in a PostgreSQL of its own, and a console over it.

Rows are made by the server in bulk; samples are indexed and rolled up by the code that
does so in a running hub. The console is `andon hub web` in a process of its own.
"""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from cloud_hub.config import HubConfig, StoreSettings
from cloud_hub.errors import UnreachableError
from cloud_hub.governance import audit
from cloud_hub.hub import recorder
from cloud_hub.identity.people.links import Purpose
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Grant, Role
from cloud_hub.parts.postgres import Postgres
from cloud_hub.rollout.plan import Plan, Wave
from cloud_hub.store import partitions, rollups
from cloud_hub.store.bench_stage import BenchStage
from cloud_hub.store.database import Connection, Database, load_queries
from cloud_hub.store.migrate import migrate
from wire.clock import Clock, to_datetime
from wire.manifest import AlarmRule, Input, IntervalTable, Manifest, Output

QUERIES = load_queries("cloud_hub.console", "bench_data.sql")
SETTINGS = StoreSettings(
    partition_hours=1.0, late_horizon_days=7.0, raw_retention_days=7.5, ahead_partitions=6
)
USE_CASE = "motor-health"
VISITOR = "bench"
HOURS = 24  # of samples
DAYS = 7  # of predictions
SIGNALS = 5  # of a machine
PATIENCE_S = 60.0
STDERR = 2  # what the console says is no figure
FILLED_ONCE = ("sites", "devices", "about_devices", "machines", "signals")
FILLED_LAST = ("latest", "predictions", "latest_predictions", "alarms", "rollout", "rollout_devices")
FILLED_BESIDE = ("dataset", "quarantine", "acts", "jobs", "waveforms", "captures")
ACTS = 10  # of the chain of decisions, for each device
PEOPLE = ("mira", "jonas", "ada", "policy")
DECIDED = ("rollout.widen", "alarm.judge", "device.token", "label.failure", "release.approve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    machines: int
    devices: int
    sites: int
    each: int  # samples of a signal in an hour

    @property
    def samples(self) -> int:
        return self.machines * SIGNALS * self.each * HOURS


class BenchPlant(BenchStage):
    """``with BenchPlant(scale) as plant``: it is filled, and its console listens at ``plant.port``."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale = scale
        self.end_us = Clock.real().now_us() // partitions.HOUR_US * partitions.HOUR_US
        self._server = Postgres(self.folder / "postgres", ephemeral=True)
        self.port = _free_port()

    def _start(self) -> None:
        conninfo = self._server.start()
        self._stack.callback(self._server.stop)
        self.config = self._configured(conninfo)
        self.database = self._stack.enter_context(Database(conninfo))
        migrate(conninfo, self.config)
        with self.database.connect() as connection:
            self._fill(connection)
        self._office = _staffed(self.config, self.database)
        self._serve()

    def link(self) -> str:
        """The secret of another link that signs in somebody who may do everything."""
        return self._office.links.invite(VISITOR, by=VISITOR, purpose=Purpose.SIGN_IN)

    def rows(self) -> dict[str, Any]:
        return self.database.row(QUERIES["rows"]) or {}

    def captures(self) -> list[int]:
        """The two newest captures of the machine that has most, as links name them."""
        return [row["number"] for row in self.database.rows(QUERIES["capture"])]

    def beat(self) -> None:
        """Something changes, as it does all the time while devices send."""
        self.database.execute(QUERIES["beat"])

    def live(self, turn: int) -> None:
        """A second of a plant that lives, the ``turn``-th."""
        for name in ("live_batches", "live_predictions"):
            self.database.execute(QUERIES[name], {"turn": turn})

    def processor_s(self) -> float:
        """How long the console's process has kept a processor busy."""
        told = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")  # proc(5): user and system time

    def stop_serving(self) -> None:
        """End the console, and with it whatever is open of it; more than once is no harm."""
        self._process.terminate()
        self._process.wait()

    def _configured(self, conninfo: str) -> HubConfig:
        file = self.folder / "hub.toml"
        told = {"state_dir": str(self.folder), "database_url": conninfo}
        lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
        lines += ["[web]", f"port = {self.port}", "[devices]", f"port = {_free_port()}", "[store]"]
        lines += [f"{name} = {value}" for name, value in SETTINGS.model_dump(exclude_unset=True).items()]
        file.write_text("\n".join(lines) + "\n")
        return HubConfig.load(file)

    def _fill(self, connection: Connection) -> None:
        clock = Clock(self.end_us, 1.000001, time.time())
        partitions.ensure(connection, SETTINGS, clock)
        values = self._values()
        for name in FILLED_ONCE:
            connection.execute(QUERIES[name], values)
        _add_models(connection, values["now"])
        for back in range(HOURS, 0, -1):
            hour = values | {"hour": to_datetime(self.end_us - back * partitions.HOUR_US)}
            connection.execute(QUERIES["hour_of_samples"], hour)
            connection.execute(QUERIES["hour_touched"], hour)
        for name in (*FILLED_LAST, *FILLED_BESIDE):
            connection.execute(QUERIES[name], values)
        _fill_chain(connection, ACTS * self.scale.devices, self.end_us)
        partitions.summarise(connection)
        rollups.turn(connection, SETTINGS, clock)
        partitions.tidy(connection, SETTINGS, clock)
        connection.execute("VACUUM (ANALYZE)")  # what autovacuum does meanwhile

    def _values(self) -> dict[str, Any]:
        scale = self.scale
        plan = Plan(release=f"{USE_CASE}/2", use_case=USE_CASE, waves=(Wave.parse("100%"),), tolerated=0.1)
        return {
            "machines": scale.machines,
            "devices": scale.devices,
            "sites": scale.sites,
            "each": scale.each,
            "now": to_datetime(self.end_us),
            "start": to_datetime(self.end_us - DAYS * partitions.DAY_US + partitions.HOUR_US),
            "plan": Jsonb(plan.fields()),
        }

    def _serve(self) -> None:
        command = [sys.executable, "-m", "andon", "hub", "web", "--config", str(self.folder / "hub.toml")]
        environment = {**os.environ, "ANDON_CLOCK": ""}
        self._process = process = subprocess.Popen(command, env=environment, stdout=STDERR)
        self._stack.callback(self.stop_serving)
        deadline = time.monotonic() + PATIENCE_S
        while not _listens(self.port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise UnreachableError("the console of the benchmark did not start: see the lines above")
            time.sleep(0.05)


def _staffed(config: HubConfig, database: Database) -> Office:
    office = Office.of(database, config.web, record=recorder(config.time()))
    office.accounts.add(VISITOR, [Grant(Role.ADMIN)], by=VISITOR)
    return office


def _add_models(connection: Connection, now: Any) -> None:
    for version in (1, 2):
        values = {"version": version, "manifest": _manifest(version), "now": now}
        connection.execute(QUERIES["model"], values)


def _fill_chain(connection: Connection, entries: int, end_us: int) -> None:
    """A chain that is whole, ``entries`` long; every twentieth belongs to the trace of the rollout."""
    previous = audit.GENESIS
    copy = QUERIES["chain"].rstrip(";\n")
    with connection.cursor() as cursor, cursor.copy(copy) as rows:
        for number in range(1, entries + 1):
            action = DECIDED[number % len(DECIDED)]
            entry = {
                "id": number,
                "time": to_datetime(end_us - (entries - number) * 60_000_000),
                "actor": PEOPLE[number % 4],
                "action": action,
                "subject": f"{USE_CASE}/2" if action == "release.approve" else f"thing-{number % 997}",
                "detail": '{"reason": "as planned"}',  # as the database writes it
                "correlation": f"trace-{2 if number % 20 == 0 else number}",
                "previous": previous,
            }
            previous = audit.seal(entry)
            rows.write_row([*entry.values(), previous])


def _manifest(version: int) -> str:
    """Of a release that tells remaining life with its interval and an anomaly."""
    outputs = (
        Output(name="remaining_life", unit="h", low=0, high=1000),
        Output(name="anomaly", unit="1", low=0, high=40),
    )
    alarm = AlarmRule(output="remaining_life", direction="below", threshold=72.0, clear=120.0, persistence=3)
    manifest = Manifest(
        use_case=USE_CASE,
        version=version,
        release=f"{USE_CASE}/{version}",
        machine_class="motor-pump",
        feature_set="vibration-trend/1",
        inputs=(Input(name="pressure", unit="bar"),),
        outputs=outputs,
        rtol=1e-3,
        atol=1e-2,
        interval=IntervalTable(coverage=0.9, edges=(0.0,), lower=(14.0,), upper=(18.0,)),
        alarms=(alarm,),
    )
    return manifest.to_json().decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
