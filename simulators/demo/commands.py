"""Running `andon` commands as subprocesses: the demo has no other way into the factory."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from simulators.demo.errors import DemoError

PATIENCE_S = 180.0
ANDON = (sys.executable, "-P", "-m", "andon")  # -P: the folder it is called in cannot shadow a module


class Commands:
    """One environment for every command: the hub's configuration, the clock, the log folder."""

    def __init__(self, *, hub_config: Path, clock: str, logs: Path) -> None:
        self.logs = logs
        self._environment = os.environ | {
            "ANDON_HUB_CONFIG": str(hub_config),
            "ANDON_CLOCK": clock,
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        logs.mkdir(parents=True, exist_ok=True)

    def json(self, *arguments: str, exits: tuple[int, ...] = (0,)) -> Any:
        """What ``andon ARGUMENTS --json`` prints; a ``DemoError`` quotes what it said instead."""
        said = self.text(*arguments, "--json", exits=exits)
        try:
            return json.loads(said)
        except ValueError as error:
            raise DemoError(f"`andon {' '.join(arguments)}` printed no JSON: {said[:200]!r}") from error

    def text(self, *arguments: str, exits: tuple[int, ...] = (0,), patience_s: float = PATIENCE_S) -> str:
        """What ``andon ARGUMENTS`` prints; an exit status outside of ``exits`` is a ``DemoError``."""
        command = [*ANDON, *arguments]
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=patience_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"`andon {' '.join(arguments)}` did not end within {patience_s:.0f} s") from error
        if done.returncode not in exits:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
            raise DemoError(f"`andon {' '.join(arguments)}` failed: {' '.join(said)}")
        return done.stdout

    def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> "Running":
        """Start ``andon ARGUMENTS`` and leave it running; its messages go to the log folder."""
        return Running(
            name,
            [*ANDON, *arguments],
            environment=self._environment | dict(environment or {}),
            log=self.logs / f"{name}.log",
        )


class Running:
    """A command that stays: its first line of output is its word that it is ready."""

    def __init__(self, name: str, command: list[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._file: IO[bytes] = log.open("ab")
        self._drainer: threading.Thread | None = None
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._file,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which stops its parts in order
        )

    def ready(self, *, patience_s: float = 90.0) -> Any:
        """The JSON line the command prints when it is ready."""
        lines: list[bytes] = []
        assert self._process.stdout is not None
        stream = self._process.stdout
        reader = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)
        reader.start()
        reader.join(patience_s)
        if not lines or not lines[0].strip():
            state = "ended" if self._process.poll() is not None else "is silent"
            raise DemoError(f"{self.name} {state} before it was ready: see {self.log}: {self.last_words()}")
        self._drainer = threading.Thread(target=self._drain, args=(stream,), daemon=True)
        self._drainer.start()
        return json.loads(lines[0])

    def _drain(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._file.write(line)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def last_words(self) -> str:
        self._file.flush()
        return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-2:])

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self, *, patience_s: float = 20.0) -> None:
        """SIGTERM, and SIGKILL for what does not listen."""
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._drainer is not None:
            self._drainer.join(patience_s)  # it ends with what it reads
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._file.close()
