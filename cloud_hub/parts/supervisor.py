"""The running hub: its servers and its own processes, kept up and stopped in order.

The processes find each other through ``run/endpoints.json`` alone, so each can as well be run by itself, on
another machine, or more than once. They are stopped before the servers they use.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from cloud_hub.config import CLOCK_VARIABLE, CONFIG_VARIABLE, Endpoints, HubConfig
from cloud_hub.parts.children import Child, Kept, stop_together
from cloud_hub.parts.errors import PartError
from cloud_hub.parts.lock import locked
from cloud_hub.parts.places import fresh_log, log_of, sweep
from cloud_hub.parts.processes import spawn
from cloud_hub.parts.servers import Servers
from cloud_hub.parts.status import Process, write_processes

TICK = 0.2  # seconds between two looks at the processes
READY_SECONDS = 120.0


class Supervisor:
    """Everything one ``andon hub run`` started; ``run`` returns when a signal asked it to stop."""

    def __init__(
        self, config: HubConfig, *, config_file: Path | None, ephemeral: bool, say: Callable[[str], None]
    ) -> None:
        self._config = config
        self._state_dir = config.state_dir.resolve()
        self._ephemeral = ephemeral
        self._say = say
        self._servers = Servers(config, ephemeral=ephemeral, say=say)
        self._kept: list[Kept] = []
        self._told: dict[str, Process] = {}
        self._asked = threading.Event()
        self._environment = {CLOCK_VARIABLE: str(config.time())}
        if config_file is not None:
            self._environment[CONFIG_VARIABLE] = str(config_file.resolve())

    def run(self, ready: Callable[[Endpoints], None]) -> None:
        """Start everything, call ``ready`` once it answers, keep it running until a signal comes."""
        with locked(self._state_dir), ExitStack() as stack:
            self._obey_signals(stack)
            sweep()
            endpoints = self._start(stack)
            self._await_ready(endpoints)
            if not self._asked.is_set():
                self._tell()
                ready(endpoints)
            while not self._asked.wait(TICK):
                self._tend()

    def _start(self, stack: ExitStack) -> Endpoints:
        endpoints = self._servers.start(stack)
        self._kept += self._servers.kept
        endpoints.write(self._state_dir)
        for name in ("endpoints.json", "processes.json"):
            stack.callback((self._state_dir / "run" / name).unlink, missing_ok=True)
        children = [Child(partial(self._spawn, name)) for name in self._names()]
        stack.callback(stop_together, children)
        for name, child in zip(self._names(), children, strict=True):
            log = log_of(self._state_dir, name)
            self._kept.append(Kept(name, child, log=log, say=self._say))
            self._kept[-1].start()
        return endpoints

    def _names(self) -> list[str]:
        count = self._config.ingest_processes
        ingests = ["ingest"] if count == 1 else [f"ingest-{number}" for number in range(1, count + 1)]
        return [*ingests, "work", "web", *(["serve"] if self._config.serving.listen else [])]

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "andon", "hub", name.partition("-")[0]]
        return spawn(command, log=fresh_log(self._state_dir, name), environment=self._environment)

    def _tend(self) -> None:
        for kept in self._kept:
            kept.tend()
        self._servers.tend()
        self._tell()

    def _tell(self) -> None:
        """Let ``andon hub status`` see the processes, whenever they are others than before."""
        now = {kept.name: Process(pid=kept.part.pid, restarts=kept.restarts) for kept in self._kept}
        if now != self._told:
            write_processes(self._state_dir, now)
            self._told = now

    def _await_ready(self, endpoints: Endpoints) -> None:
        deadline = time.monotonic() + READY_SECONDS
        waiting = [endpoints.console_url, endpoints.device_url]
        while waiting and not self._asked.wait(TICK):
            self._tend()
            waiting = [url for url in waiting if not _listens(url)]
            if waiting and time.monotonic() > deadline:
                logs = self._state_dir / "log"
                raise PartError(f"nothing answers at {waiting[0]} after {READY_SECONDS:g} s: see {logs}")

    def _obey_signals(self, stack: ExitStack) -> None:
        def ask(_number: int, _frame: FrameType | None) -> None:
            self._asked.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            stack.callback(signal.signal, number, signal.signal(number, ask))


def _listens(url: str) -> bool:
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname or "", place.port or 0), timeout=1).close()
    except OSError:
        return False
    return True
