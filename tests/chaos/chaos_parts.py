"""The processes under fire: started, killed, frozen and told to stop, with their logs kept.

Everything is started by one thread that lives as long as the run, and dies with it: the kernel ends what a thread
started when that thread ends, so that a harness which is killed leaves nothing running.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from cloud_hub.parts.processes import spawn

ANDON = (sys.executable, "-P", "-m", "andon")
Result = TypeVar("Result")


class Hand:
    """One thread that starts things and outlives them."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    def do(self, work: Callable[[], Result]) -> Result:
        return self._pool.submit(work).result()

    def rest(self) -> None:
        self._pool.shutdown()


class Process:
    """One ``andon`` command that stays."""

    def __init__(
        self, hand: Hand, name: str, arguments: Sequence[str], *, logs: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self.starts = 0
        self._hand = hand
        self._command = [*ANDON, *arguments]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self.starts += 1
        self._process = self._hand.do(
            lambda: spawn(self._command, log=self.log, environment=self._environment, farewell=signal.SIGKILL)
        )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, patience_s: float = 20.0) -> int:
        """SIGTERM; its exit status, which is -9 where it did not listen."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def memory_mb(self) -> float:
        """Resident memory now; 0 where it does not run."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return 0.0
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
