"""``andon hub ingest`` as processes of their own."""

import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


class Ingest:
    """``andon hub ingest`` as processes of their own."""

    def __init__(self, state_dir: Path, config: Path) -> None:
        self.log = state_dir / "ingest.log"
        self.config = config
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "andon.py"), "hub", "ingest", "--config", str(self.config)],
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def said(self, text: str, *, times: int = 1, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while self.log.read_text().count(text) < times:
            assert time.monotonic() < deadline, f"{text!r} was not said: {self.log.read_text()[-2000:]}"
            time.sleep(0.05)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
