"""A factory for a browser's story: a whole hub as its operator runs it, enrolled agents, simulated machines.

Every part is a process started by its own command, on the real clock: what a page shows has come from a
sensor by way of feed, agent, broker, ingest and database.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloud_hub.config import HubConfig
from cloud_hub.hub import Hub, opened
from cloud_hub.identity.people.cli import first_link
from simulators.demo.factory import Factory
from tests.console import story_release
from wire.clock import Clock

SITE = "lyon"
DEVICES = ("cell-1", "cell-2")
HUB = "directive_days = 400\n[store]\npartition_hours = 24\nlate_horizon_days = 2\nraw_retention_days = 30\n"
PACE = ("--interval", "0.5", "--window-every", "1")  # seconds between readings, and between windows
PATIENCE_S = 150.0


class StoryWorld:
    """A running plant: ``first`` is on every device, ``second`` is released and nowhere yet."""

    def __init__(self, folder: Path) -> None:
        self.factory = Factory(folder, Clock.real(), store_days=2, partition_hours=24)
        self.factory.hub_config.write_text(HUB)  # without a scoring service: nobody asks "What if" here
        self.hub: Hub
        self.url = ""
        self.first = self.second = ""

    def start(self, hub: Hub, endpoints: dict[str, str]) -> None:
        """Until the first release runs everywhere, and has raised alarms."""
        self.hub, self.url = hub, endpoints["console_url"].rstrip("/")
        self.first, self.second = (  # signed while devices start
            story_release.approve(hub, number=number, hours_per_flow=hours)
            for number, hours in ((1, 0.100), (2, 0.095))
        )
        machines = ("--seed", "7", "--machines-per-device", "2", *PACE)
        feeds = self.factory.start_source("machines", "machine", *machines, devices=DEVICES)
        self.factory.enrol(feeds, site=SITE, hub_url=endpoints["device_url"])
        for device in DEVICES:
            self._configure(device)
            self.factory.start_agent(device)

        for release in (self.first, self.second):
            self.wait(lambda release=release: story_release.is_released(hub, release), f"{release} released")
        self.factory.await_births()
        self.andon("rollout", "start", self.first, "--wave", "100%")
        self.wait(lambda: self.running() == {self.first: len(DEVICES)}, f"{self.first} on every device")
        self.wait(lambda: self.count("alarm WHERE closed IS NULL") == 2 * len(DEVICES), "alarms")

    def andon(self, *arguments: str) -> Any:
        """What an operator's command answers."""
        return self.factory.commands.json(*arguments)

    def first_link(self) -> str:
        """The one-time link that `andon hub run` shows on a terminal while nobody administers the hub."""
        return first_link(HubConfig.load(self.factory.hub_config))

    def invite(self, name: str, role: str) -> str:
        return str(self.andon("hub", "person", "add", name, "--role", role)["link"])

    def running(self) -> dict[str, int]:
        """By release, on how many devices it is."""
        rows = self.hub.database.rows("SELECT release, count(*) AS n FROM device_release GROUP BY release")
        return {row["release"]: row["n"] for row in rows}

    def release_of(self, device: str) -> str:
        row = self.hub.database.row(
            "SELECT release FROM device_release r JOIN device d ON d.id = r.device WHERE d.name = %(name)s",
            {"name": device},
        )
        return row["release"] if row else ""

    def machine_at_risk(self) -> str:
        """Whose remaining life ends first, as the devices last said."""
        row = self.hub.database.row(
            "SELECT m.name FROM latest_prediction p JOIN machine m ON m.id = p.machine ORDER BY p.values[2] LIMIT 1"
        )
        assert row
        return row["name"]

    def count(self, what: str) -> int:
        row = self.hub.database.row(f"SELECT count(*) AS n FROM {what}")
        assert row
        return row["n"]

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not reached():
            self.factory.check()
            assert time.monotonic() < deadline, f"it never came to that: {what}"
            time.sleep(0.1)

    def _configure(self, device: str) -> None:
        """A probation of a few predictions, and batches that leave at once."""
        file = self.factory.home(device) / "agent.toml"  # ends with its section about probation
        file.write_text(f"{file.read_text()}predictions = 4\n\n[uplink]\nmax_age_s = 0.2\n")


@contextmanager
def running(folder: Path) -> Iterator[StoryWorld]:
    """A plant at work; nothing of it runs on afterwards."""
    world = StoryWorld(folder)
    try:
        endpoints = world.factory.start_hub()
        with opened(HubConfig.load(world.factory.hub_config)) as hub:
            world.start(hub, endpoints)
            yield world
    finally:
        world.factory.stop()
