"""A real hub and a simulated fleet for a benchmark: every part by its own command, all gone at the end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from cloud_hub.config import CONFIG_VARIABLE, HubConfig
from cloud_hub.hub import Hub, opened
from cloud_hub.parts.errors import PartError
from cloud_hub.parts.processes import last_words
from cloud_hub.parts.status import read_processes
from cloud_hub.rollout.bench_meter import QUERIES, Meter
from cloud_hub.store.bench_stage import BenchStage
from cloud_hub.store.database import Database

ANDON = (sys.executable, "-P", "-m", "andon")
SITES = 20
START_S = 120.0
COMMAND_S = 300.0
BIRTH_S = 300.0
STOP_S = 60.0


class Factory(BenchStage):
    """``with Factory(devices) as factory``: a hub runs, its statements are counted, devices have tokens."""

    def __init__(self, devices: int) -> None:
        super().__init__()
        self.devices = devices
        self._config = self.folder / "hub" / "hub.toml"
        self._environment = os.environ | {CONFIG_VARIABLE: str(self._config), "PYTHONUNBUFFERED": "1"}
        self._hub: Command | None = None
        self.hub: Hub
        self.meter: Meter

    def add_devices(self) -> float:
        """Add the fleet by a file, as an operator does; seconds it took."""
        lines = [f"sim-{number:05},plant-{number % SITES:02}" for number in range(self.devices)]
        file = self.folder / "fleet.csv"
        file.write_text("\n".join(("name,site", *lines)) + "\n")
        began = time.monotonic()
        self.andon("device", "add", "--from", str(file), "--tokens-file", str(self._tokens))
        return time.monotonic() - began

    def start_fleet(self, *options: str) -> dict[str, Any]:
        """Enrol and connect every device; what the fleet says once all are connected."""
        endpoints = self.hub.config.endpoints()
        hub = ("--hub", endpoints.device_url, "--tokens", str(self._tokens))
        state = ("--devices", str(self.devices), "--state", str(self.folder / "fleet"))
        fleet = Command(
            [*ANDON, "sim", "fleet", *hub, *state, "--json", *options],
            log=self.folder / "fleet.log",
            environment=self._environment,
        )
        self._stack.callback(fleet.stop)
        return fleet.ready(COMMAND_S + self.devices / 10)

    def await_births(self) -> None:
        """Until the hub has stored who every device is."""
        deadline = time.monotonic() + BIRTH_S
        while (born := self._born()) < self.devices:
            if time.monotonic() > deadline:
                raise PartError(f"{born} of {self.devices} births came")
            time.sleep(0.1)

    def andon(self, *arguments: str) -> Any:
        """What ``andon ARGUMENTS --json`` prints."""
        done = subprocess.run(
            [*ANDON, *arguments, "--json"],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        if done.returncode:
            raise PartError(f"`andon {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return json.loads(done.stdout)

    @property
    def _tokens(self) -> Path:
        return self.folder / "tokens.jsonl"

    def _born(self) -> int:
        row = self.hub.database.row(QUERIES["born"])
        return int(row["born"]) if row else 0

    def _start(self) -> None:
        self._config.parent.mkdir()
        self._config.write_text("")
        secret = ("--offline-passphrase-file", str(self.folder / "offline-passphrase"))
        self.andon("keys", "init", "--offline", str(self.folder / "offline"), *secret)
        self._stack.callback(self._stop_hub)
        self._run_hub()
        config = HubConfig.load(self._config)
        with Database(config.endpoints().database_url).connect() as connection:
            connection.execute(QUERIES["preload"])
        self._stop_hub()  # a library is preloaded at the start alone
        self._run_hub()
        self.hub = self._stack.enter_context(opened(config))
        with self.hub.database.connect() as connection:
            connection.execute(QUERIES["count_statements"])
        self.meter = self._meter(config)

    def _meter(self, config: HubConfig) -> Meter:
        pids = {name: each.pid for name, each in read_processes(config.state_dir).items() if each.pid}
        missing = {"postgres", "ingest", "work", "web"} - pids.keys()
        if missing:
            raise PartError(f"the hub runs without {', '.join(sorted(missing))}")
        return Meter(
            self.hub.database,
            supervisor=config.endpoints().pid,
            hub=[pids["ingest"], pids["work"], pids["web"]],
            postgres=pids["postgres"],
        )

    def _run_hub(self) -> None:
        log = self.folder / "hub.log"
        self._hub = Command(
            [*ANDON, "hub", "run", "--ephemeral", "--json"], log=log, environment=self._environment
        )
        self._hub.ready(START_S)

    def _stop_hub(self) -> None:
        if self._hub is not None:
            self._hub.stop()
            self._hub = None


class Command:
    """A command that says one line of JSON once it is ready, and runs until it is told to stop."""

    def __init__(self, arguments: list[str], *, log: Path, environment: dict[str, str]) -> None:
        self._log = log
        self._said = threading.Event()
        self._line = ""
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                arguments, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True
            )
        assert self._process.stdout is not None
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()

    def ready(self, patience_s: float) -> dict[str, Any]:
        """The line it says; ``PartError`` with its last words where it ends, or takes too long."""
        if not self._said.wait(patience_s) or not self._line:
            raise PartError(f"it did not get ready: {last_words(self._log, lines=3)}")
        return dict(json.loads(self._line))

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self, lines: IO[str]) -> None:
        """Take the first line, and read on so that nothing it says later has to wait."""
        for line in _lines(lines):
            if not self._said.is_set():
                self._line = line
                self._said.set()
        self._said.set()


def _lines(stream: IO[str]) -> Iterator[str]:
    with stream:
        yield from stream
