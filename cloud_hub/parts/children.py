"""Processes that are kept running: one that ends is started again, later each time."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cloud_hub.parts.errors import PartError
from cloud_hub.parts.processes import last_words

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds
SETTLED_SECONDS = 60.0  # a process that ran this long starts with a clean record
PATIENCE = 30.0  # seconds to finish what is in hand before it is killed


class Part(Protocol):
    """Something that runs: a server part, or one of the hub's own processes."""

    @property
    def pid(self) -> int | None: ...
    def start(self) -> object: ...
    def alive(self) -> bool: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before the next start, from how the last ones went. Pure."""

    delay: float = FIRST_DELAY

    def after(self, lived: float) -> "Backoff":
        """The backoff after a run of ``lived`` seconds ended."""
        if lived >= SETTLED_SECONDS:
            return Backoff()
        return Backoff(delay=min(self.delay * 2, LONGEST_DELAY))


class Kept:
    """One part with its record; ``tend`` is called again and again and never blocks on a delay."""

    def __init__(self, name: str, part: Part, *, log: Path, say: Callable[[str], None]) -> None:
        self.name = name
        self._log = log
        self.part = part
        self.restarts = 0
        self._say = say
        self._backoff = Backoff()
        self._began = 0.0
        self._due: float | None = None

    def start(self) -> object:
        self._began, self._due = time.monotonic(), None
        return self.part.start()

    def tend(self) -> None:
        """Notice that the part ended, or start it again when its delay is over."""
        if self._due is None and not self.part.alive():
            self._wait(f"ended ({last_words(self._log)})")
        elif self._due is not None and time.monotonic() >= self._due:
            self.restarts += 1
            try:
                self.start()
            except PartError as error:
                self._wait(f"cannot be started: {error}")

    def _wait(self, why: str) -> None:
        now = time.monotonic()
        delay = self._backoff.delay
        self._say(f"{self.name} {why}; the next start is in {delay:g} s")
        self._backoff = self._backoff.after(now - self._began)
        self._due = now + delay


class Child:
    """One of the hub's own processes."""

    def __init__(self, spawn: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._spawn = spawn
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        self._process = self._spawn()
        return self._process.pid

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def stop_together(children: Sequence[Child]) -> None:
    """Ask all at once, then wait for each: stopping takes as long as the slowest."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()
