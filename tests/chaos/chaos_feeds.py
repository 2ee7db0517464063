"""The harness's end of the sources' process: opens feeds beside agents and says how much they measure."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


class Feeds:
    """Thread-safe; every call returns when the sources have obeyed."""

    def __init__(self, truth: Path, devices: list[str], seed: int, log: Path) -> None:
        self.names: list[str] = []
        self._lock = threading.Lock()
        command = [
            sys.executable,
            str(Path(__file__).with_name("chaos_source.py")),
            str(truth),
            ",".join(devices),
            str(seed),
        ]
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def open(self, feed: str, device: str, socket: Path) -> None:
        self._tell(do="open", feed=feed, device=device, path=str(socket))
        self.names.append(feed)

    def rate(self, feed: str, rate: float) -> None:
        """Readings a tick and machine; 1 as a rule, 0: it measures nothing."""
        self._tell(do="rate", feed=feed, rate=rate)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _tell(self, **what: Any) -> None:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(what).encode() + b"\n")
            self._process.stdin.flush()
            if not self._process.stdout.readline():
                raise RuntimeError("the sources ended: see source.log")
