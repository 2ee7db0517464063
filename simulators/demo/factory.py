"""The parts of a demonstration factory: one hub, its devices, the machines beside them."""

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from simulators.demo.commands import Commands, Running
from simulators.demo.errors import DemoError
from wire.clock import Clock

MARKER = ".andon-demo"  # only a folder that carries it is ever emptied
PROFILE = "generic-x86"
STARTING_AT_ONCE = 2
BIRTHS_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    position: int = 0  # of its source, stored
    samples: int = 0  # stored
    waiting: int = 1  # batches the hub has not settled


def default_folder() -> Path:
    """Where a demonstration keeps its state: a system folder for root, the user's own else."""
    if os.geteuid() == 0:
        return Path("/var/lib/andon/demo")
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "andon" / "demo"


def claim(folder: Path) -> IO[str]:
    """Empty ``folder`` for a fresh demonstration and hold it until the returned file is closed."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / MARKER).exists():
        raise DemoError(f"{folder} holds files that no demonstration made; name an empty one by --folder")
    lock = (folder / MARKER).open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise DemoError(
            f"a demonstration already runs in {folder} (process {lock.read().strip()})"
        ) from error
    for item in folder.iterdir():
        if item.name != MARKER:
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


class Factory:
    """Starts and stops everything by `andon` commands; ``stop`` leaves nothing running."""

    def __init__(self, folder: Path, clock: Clock, *, store_days: float, partition_hours: float) -> None:
        self.folder = folder
        self.clock = clock
        self.hub_config = folder / "hub" / "hub.toml"
        self.sockets = folder / "sockets"
        self.commands = Commands(hub_config=self.hub_config, clock=str(clock), logs=folder / "logs")
        self.hub: Running | None = None
        self.agents: dict[str, Running] = {}
        self._sources: dict[str, Running] = {}
        self._introductions: dict[str, dict[str, Any]] = {}
        self._configure(store_days, partition_hours)

    def _configure(self, store_days: float, partition_hours: float) -> None:
        self.hub_config.parent.mkdir(parents=True)
        self.hub_config.write_text(
            'directive_days = 400\n\n[serving]\nlisten = "127.0.0.1"  # "What if" in the console\n\n[store]\n'
            f"partition_hours = {partition_hours}\n"
            f"late_horizon_days = {store_days}\nraw_retention_days = {store_days + 30}\n"
        )

    def start_hub(self) -> dict[str, Any]:
        """Make the keys, start the hub and return its endpoints."""
        secret = ("--offline-passphrase-file", str(self.folder / "offline-passphrase"))
        self.commands.json("keys", "init", "--offline", str(self.folder / "offline-keys"), *secret)
        self.hub = self.commands.start("hub", "hub", "run", "--json", "--ephemeral")
        self.hub.ready(patience_s=120)
        endpoints: dict[str, Any] = self.commands.json("hub", "status")
        return endpoints

    def console_link(self) -> str:
        """Lets a browser on this machine in by one click, as a person of the demonstration's own: us."""
        guest = self.commands.json("hub", "person", "add", "demo", "--role", "admin", "--me", "--sign-in")
        return str(guest["link"])

    def start_source(self, name: str, *arguments: str, devices: Iterable[str]) -> dict[str, str]:
        """Start a simulator of ``devices``; returns the feed address of each."""
        places = ("--socket-dir", str(self.sockets), "--truth", str(self.truth(name)))
        source = self.commands.start(
            name, "sim", *arguments, "--devices", ",".join(devices), *places, "--json"
        )
        self._sources[name] = source
        self._introductions[name] = source.ready()
        feeds: dict[str, str] = self._introductions[name]["addresses"]
        return feeds

    def source_introduction(self, name: str) -> dict[str, Any]:
        """What a source said of itself when it was ready."""
        return self._introductions[name]

    def truth(self, source: str) -> Path:
        """Where a source keeps what really happened; no agent and no hub looks there."""
        return self.folder / "truth" / source

    def hold(self, source: str) -> None:
        """Have a source give nothing out until it is released, also one that starts later."""
        self.truth(source).mkdir(parents=True, exist_ok=True)
        (self.truth(source) / "hold").touch()

    def release(self, source: str) -> None:
        (self.truth(source) / "hold").unlink(missing_ok=True)

    def enrol(self, feeds: dict[str, str], *, site: str, hub_url: str, probation_hours: float = 0.0) -> None:
        """Add each device at the hub and have it make its key and fetch its certificate."""

        def one(device: str) -> None:
            home = self.home(device)
            home.mkdir(parents=True)
            token = home / "token"
            self.commands.json(
                "device", "add", device, "--site", site, "--profile", PROFILE, "--token-file", str(token)
            )
            (home / "agent.toml").write_text(
                f'device = "{device}"\nstate_dir = "{home}"\nprofile = "{PROFILE}"\n\n'
                f'[hub]\nurl = "{hub_url}"\n\n[feed]\naddress = "{feeds[device]}"\n\n'
                f"[probation]\nhours = {probation_hours}\n"
            )
            self.commands.text("edge", "enroll", *self._config(device), "--token-file", str(token))
            token.unlink()

        _all(one, feeds)

    def start_agent(self, device: str) -> None:
        self.agents[device] = self.commands.start(device, "edge", "run", *self._config(device))

    def kill_agent(self, device: str) -> None:
        """SIGKILL one agent and start it again."""
        self.agents[device].kill()
        self.start_agent(device)

    def kill_ingest(self) -> None:
        """SIGKILL the process that stores what devices send; the hub's supervisor starts another."""
        os.kill(self.commands.json("hub", "status")["processes"]["ingest"], signal.SIGKILL)

    def home(self, device: str) -> Path:
        return self.folder / "devices" / device

    def _config(self, device: str) -> tuple[str, str]:
        return "--config", str(self.home(device) / "agent.toml")

    def agent(self, device: str) -> AgentState:
        """What the agent last wrote of itself; nothing done where it has not written yet."""
        try:
            found = json.loads((self.home(device) / "status.json").read_text())
        except (FileNotFoundError, ValueError):
            return AgentState()
        return AgentState(
            position=found["sources"][device]["position"],
            samples=found["sources"][device]["samples"],
            waiting=found["outbox"]["batches"],
        )

    def await_births(self) -> None:
        """Wait until the hub knows every device that was started, and its machines."""
        deadline = time.monotonic() + BIRTHS_S
        while time.monotonic() < deadline:
            self.check()
            known = {device["name"] for device in self.commands.json("device", "list") if device["machines"]}
            if self.agents.keys() <= known:
                return
            time.sleep(0.5)
        missing = ", ".join(sorted(self.agents.keys() - known))
        raise DemoError(f"no birth of {missing} within {BIRTHS_S:.0f} s: see {self.commands.logs}")

    def check(self) -> None:
        """Raise where a part ended that should run."""
        for part in filter(None, (self.hub, *self._sources.values(), *self.agents.values())):
            if not part.alive:
                raise DemoError(f"{part.name} ended: see {part.log}: {part.last_words()}")

    def stop(self) -> None:
        """Stop devices, then sources, then the hub, so that what is on its way arrives."""
        _all(lambda agent: agent.stop(), self.agents.values(), at_once=8)
        _all(lambda source: source.stop(), self._sources.values(), at_once=8)
        if self.hub is not None:
            self.hub.stop(patience_s=40)


def _all(act: Callable[[Any], None], things: Iterable[Any], *, at_once: int = STARTING_AT_ONCE) -> None:
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(act, things))
