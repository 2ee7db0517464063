"""The factory under fire, built by its own commands: enrolled by a whole hub, then run part by part over relays.

`andon hub run` would connect its parts directly; here every part reaches the others through a relay that can be
cut, so the hub's processes run by themselves on the same state directory, as they may on hosts of their own.
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from chaos_agent import Agent
from chaos_check import Window
from chaos_feeds import Feeds
from chaos_parts import Hand, Process
from chaos_relays import Network, Relay
from chaos_tap import Tap

from cloud_hub.identity.certificates import HubCertificates
from cloud_hub.parts.broker import Broker, ServerFiles
from cloud_hub.parts.postgres import Postgres
from simulators.demo.commands import Commands

DEVICES = ("dev-1", "dev-2", "dev-3")
INGESTS = ("ingest-1", "ingest-2")
SOCKET = ".s.PGSQL.5432"


@dataclass(slots=True, kw_only=True)
class Notes:
    """What happened, for the comparison and for whoever reads the run."""

    windows: list[Window] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)  # processes that ended without being told
    kills: int = 0
    cuts: int = 0
    most_mb: float = 0.0  # of one ingest process
    began: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, text: str) -> None:
        with self.lock:
            print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    def excuse(self, feed: str, from_us: int, to_us: int, fault: str) -> None:
        with self.lock:
            self.windows.append(Window(feed=feed, from_us=from_us, to_us=to_us, fault=fault))

    def killed(self) -> None:
        with self.lock:
            self.kills += 1

    def died(self, process: Process) -> None:
        """It ended without being told to."""
        lines = process.log.read_text(errors="replace").strip().splitlines()
        told = f"{process.name} ended by itself: {lines[-1][-200:] if lines else 'it said nothing'}"
        self.say(told)
        with self.lock:
            self.deaths.append(told)

    def cut(self) -> None:
        with self.lock:
            self.cuts += 1


class World:
    """``set_up`` builds it, ``start`` brings it to life, ``stop`` leaves nothing behind but its folder."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.hub_dir = root / "hub"
        self.logs = root / "logs"
        self.truth = root / "truth"
        for folder in (self.hub_dir, self.logs, self.truth):
            folder.mkdir(parents=True)
        self.notes = Notes()
        self.network = Network()
        self.hand, self._server_hand, self._broker_hand = Hand("start"), Hand("postgres"), Hand("broker")
        self.commands = Commands(hub_config=self.hub_dir / "hub.toml", clock="", logs=self.logs)
        self.feeds = Feeds(self.truth, list(DEVICES), seed, self.logs / "source.log")
        self.agents: dict[str, Agent] = {}
        self.clones: list[Agent] = []
        self.ingests: dict[str, Process] = {}
        self.links: dict[tuple[str, str], Relay] = {}  # of an ingest: to the broker, to PostgreSQL
        self.locks = {name: threading.RLock() for name in (*DEVICES, *INGESTS, "broker", "postgres")}
        self.shim = _build_shim(root)
        self.has_disks = False

    def set_up(self) -> None:
        """Keys, certificates, schema and enrolment, by the commands an operator uses."""
        (self.hub_dir / "hub.toml").write_text("")
        secret = ("--offline-passphrase-file", str(self.root / "offline-passphrase"))
        self.commands.json("keys", "init", "--offline", str(self.root / "offline-keys"), *secret)
        hub = self.commands.start("hub", "hub", "run", "--json", "--ephemeral")
        try:
            url = hub.ready(patience_s=120)["device_url"]
            for device in DEVICES:
                self._enrol(device, url)
        finally:
            hub.stop(patience_s=60)
        self.postgres = Postgres(self.hub_dir, ephemeral=True)
        issued = HubCertificates.of(self.hub_dir)
        server = ServerFiles(ca=issued.ca, certificate=issued.server_certificate, key=issued.server_key)
        self.broker = Broker(self.hub_dir, server, ephemeral=True)
        direct = f'database_url = "{self.database_url}"\n'
        (self.hub_dir / "hub.toml").write_text(direct)  # for the operator's commands, past every relay

    def start(self) -> None:
        self.start_postgres()
        self.start_broker()
        for name in INGESTS:
            self.ingests[name] = self._ingest(name)
            self.ingests[name].start()
        self.tap = Tap(self.hub_dir / "identity", list(DEVICES))
        self.tap.start(self.broker.address.hub_port)
        for device, agent in self.agents.items():
            self.feeds.open(device, device, agent.socket)
            agent.start()

    def stop(self) -> None:
        """However it ended: nothing runs on, nothing stays mounted."""
        for agent in (*self.agents.values(), *self.clones):
            agent.process.kill()
        for process in self.ingests.values():
            process.kill()
        if hasattr(self, "tap"):
            self.tap.stop()
        self.feeds.stop()
        if hasattr(self, "broker"):
            self._broker_hand.do(self.broker.stop)
            self._server_hand.do(self.postgres.stop)
        for agent in self.agents.values():
            agent.unmount()
        self.network.stop()
        for hand in (self.hand, self._server_hand, self._broker_hand):
            hand.rest()

    @property
    def database_url(self) -> str:
        """Past every relay."""
        return self.postgres.conninfo()

    def start_postgres(self) -> None:
        self._server_hand.do(self.postgres.start)

    def stop_postgres(self) -> None:
        self._server_hand.do(self.postgres.stop)

    def start_broker(self) -> None:
        self._broker_hand.do(self.broker.start)

    def crash(self, server: Postgres | Broker) -> None:
        """SIGKILL a server with all its children, as a crash of its host would."""
        pid = server.pid
        if pid and server.alive():
            os.killpg(pid, signal.SIGKILL)
            _until(lambda: not (server.alive() or _group_lives(pid)), 20)

    def agent_beside(self, agent: Agent, home: Path, feed: str) -> Agent:
        """A device with the same name and link at another place."""
        made = Agent(
            self.hand,
            device=agent.device,
            feed=feed,
            home=home,
            link=agent.link,
            truth=self.truth,
            logs=self.logs,
            shim=self.shim,
        )
        made.configure(self._device_url)
        self.clones.append(made)
        return made

    def _enrol(self, device: str, url: str) -> None:
        self._device_url = url
        link = Relay(self.network, lambda: ("127.0.0.1", self.broker.address.port))
        home = self.root / "devices" / device
        agent = Agent(
            self.hand, device=device, feed=device, home=home, link=link, truth=self.truth, logs=self.logs, shim=self.shim,
        )  # fmt: skip
        self.has_disks = agent.mount()
        agent.configure(url)
        token = agent.home / "token"
        self.commands.json("device", "add", device, "--site", "north", "--profile", "generic-x86", "--token-file", str(token))  # fmt: skip
        self.commands.text("edge", "enroll", "--config", str(agent.config), "--token-file", str(token))
        token.unlink()
        self.agents[device] = agent

    def _ingest(self, name: str) -> Process:
        folder = self.root / name
        folder.mkdir()
        to_broker = Relay(self.network, lambda: ("127.0.0.1", self.broker.address.hub_port))
        to_postgres = Relay(self.network, self._postgres_socket, socket=folder / SOCKET)
        self.links[name, "broker"], self.links[name, "postgres"] = to_broker, to_postgres
        url = f"postgresql://andon@/andon?{urlencode({'host': str(folder)})}"
        config = folder / "hub.toml"
        config.write_text(
            f'state_dir = "{self.hub_dir}"\ndatabase_url = "{url}"\n'
            f'[broker]\nhost = "localhost"\nport = {to_broker.port}\n'
        )
        arguments = ["hub", "ingest", "--config", str(config)]
        return Process(self.hand, name, arguments, logs=self.logs, environment={"ANDON_CLOCK": ""})

    def _postgres_socket(self) -> Path:
        host = self.database_url.partition("host=")[2].replace("%2F", "/")
        return Path(host) / SOCKET


def _build_shim(root: Path) -> Path | None:
    """The clock that can be stepped; None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    source = Path(__file__).with_name("chaos_clock.c")
    done = subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", "-o", root / "clock.so", source, "-ldl"],
        capture_output=True,
        check=False,
    )
    return root / "clock.so" if done.returncode == 0 else None


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
