"""One device under fire: its agent, disk, clock, link and feed. A clone is a device with another's name."""

import json
import mmap
import os
import shutil
import sqlite3
import struct
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from chaos_parts import Hand, Process
from chaos_relays import Relay
from chaos_truth import openings

DISK_MB = 24
UPLINK = {
    "window": 16,
    "max_rows": 200,
    "max_age_s": 0.2,
    "resend_s": 0.7,
    "resend_max_s": 5.0,
    "reconnect_max_s": 2.0,
}
START_S = 60.0


class Agent:
    """``home`` holds its configuration and, on a disk of its own where it may have one, its state."""

    def __init__(
        self, hand: Hand, *, device: str, feed: str, home: Path, link: Relay, truth: Path, logs: Path, shim: Path | None
    ) -> None:  # fmt: skip
        self.device = device
        self.feed = feed
        self.link = link
        self.home = home
        self.disk = home / "disk"
        self.state = self.disk / "state"
        self.socket = home / "feed.sock"
        self.mounted = False
        self.down_since_us = 0  # of a clone that was killed
        self._truth = truth
        self._clock = home / "clock"
        home.mkdir(parents=True, exist_ok=True)
        self.disk.mkdir(exist_ok=True)
        self.step_clock(0)
        environment = {"ANDON_CLOCK": "", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        if shim is not None:
            environment |= {"LD_PRELOAD": str(shim), "CHAOS_CLOCK": str(self._clock)}
        arguments = ["edge", "run", "--config", str(self.config)]
        self.process = Process(hand, feed, arguments, logs=logs, environment=environment)

    @property
    def config(self) -> Path:
        return self.home / "agent.toml"

    def configure(self, hub_url: str) -> None:
        sections: dict[str, dict[str, Any]] = {
            "hub": {"url": hub_url},
            "broker": {"host": "localhost", "port": self.link.port},
            "feed": {"address": f"unix:{self.socket}"},
            "uplink": UPLINK,
        }
        lines = [f'device = "{self.device}"', f'state_dir = "{self.state}"', 'profile = "generic-x86"']
        for name, settings in sections.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
        self.config.write_text("\n".join(lines) + "\n")

    def mount(self) -> bool:
        """A small disk of its own, where this machine lets us."""
        size = f"size={DISK_MB}m,mode=0700"
        command = ["mount", "-t", "tmpfs", "-o", size, "chaos", str(self.disk)]
        self.mounted = (
            os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
        )
        return self.mounted

    def unmount(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.disk)], capture_output=True, check=False)

    def fill(self) -> None:
        """Write until the disk takes no more."""
        piece = bytes(1 << 16)
        with (self.disk / "filler").open("ab", buffering=0) as file:
            for size in (1 << 16, 4096, 512):
                try:
                    while True:
                        file.write(piece[:size])
                except OSError:
                    continue

    def empty(self) -> None:
        (self.disk / "filler").unlink(missing_ok=True)

    def step_clock(self, seconds: float) -> None:
        """Step the wall clock of the running agent; it is mapped, so it takes effect at once."""
        if not self._clock.exists():
            self._clock.write_bytes(bytes(8))
        with self._clock.open("r+b") as file, mmap.mmap(file.fileno(), 8) as place:
            place[:8] = struct.pack("<q", round(seconds * 1e6))

    def image(self, place: Path) -> None:
        """The disk as it is at one instant: nobody writes while it is copied."""
        self.process.freeze()
        try:
            shutil.copytree(self.state, place)
        finally:
            self.process.thaw()

    def restore(self, image: Path) -> None:
        """The disk as it was; the agent does not run."""
        shutil.rmtree(self.state)
        shutil.copytree(image, self.state)

    def start(self) -> int:
        """Start and wait until it reads its feed; when that was, in microseconds."""
        before_us = time.time_ns() // 1000
        self.process.start()
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            for opening in reversed(openings(self._truth, self.feed)):
                if opening.opened_us > before_us:
                    return opening.opened_us
            if not self.process.alive:
                raise RuntimeError(f"{self.feed} does not start: see {self.process.log}")
            time.sleep(0.05)
        raise RuntimeError(f"{self.feed} does not come to its feed: see {self.process.log}")

    def await_feed(self) -> None:
        """Wait until it reads its feed, and a moment more for what its socket held."""
        deadline = time.monotonic() + START_S
        while openings(self._truth, self.feed)[-1].closed_us and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.0)

    def oldest_us(self) -> int:
        """The oldest time its outbox holds; now where it holds none."""
        now_us = time.time_ns() // 1000
        try:
            with closing(sqlite3.connect(f"file:{self.state / 'outbox.db'}?mode=ro", uri=True)) as db:
                row = db.execute("SELECT min(from_us) FROM batch WHERE from_us > 0 AND class > 0").fetchone()
        except sqlite3.Error:
            return now_us - 15_000_000
        return int(row[0] or now_us)

    def waiting(self) -> int:
        """Batches in its outbox, by what it last said; one more than none where it said nothing yet."""
        try:
            told = json.loads((self.state / "status.json").read_text())
        except (OSError, ValueError):
            return 1
        fresh = told["pid"] == self.process.pid
        return int(told["outbox"]["batches"]) if fresh else 1
