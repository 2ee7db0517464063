"""A hub around simulated fleets: enrolment over HTTPS, a broker with TLS and rules, ingest, the rollout engine."""

import json
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from cloud_hub import hub as assembly
from cloud_hub.config import HubConfig
from cloud_hub.flows import publish
from cloud_hub.identity import certificates
from cloud_hub.identity.device_api import create_device_app
from cloud_hub.parts.broker import Broker, ServerFiles
from cloud_hub.rollout import bench_release
from cloud_hub.rollout.plan import Plan, Wave
from cloud_hub.signing import keys

ANDON = (sys.executable, "-P", "-m", "andon")
QUICK = ("--pace", "0.05", "--probation", "0.1", "--json")


class Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log(self, *_):
        pass


class FleetWorld:
    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self._stack = ExitStack()
        state_dir = folder / "hub"
        keys.init(state_dir, folder / "offline")
        issued = certificates.ensure(state_dir, ("localhost", "127.0.0.1"))
        files = ServerFiles(
            ca=issued.ca,
            certificate=issued.server_certificate,
            key=issued.server_key,
            hub_key=issued.client_key,
        )
        broker = Broker(state_dir, files, ephemeral=True)
        address = broker.start()
        self._stack.callback(broker.stop)
        self.config = state_dir / "hub.toml"
        self._configure(database, address.hub_port)
        self.hub = self._stack.enter_context(assembly.opened(HubConfig.load(self.config)))
        self._serve_devices(database, address.port, issued)
        self._ingest: subprocess.Popen | None = None
        self._stack.callback(self.stop_ingest)
        self.engine = assembly.engine(self.hub)

    def close(self) -> None:
        self._stack.close()

    def start_ingest(self) -> None:
        log = (self.folder / "ingest.log").open("ab")
        command = [*ANDON, "hub", "ingest", "--config", str(self.config)]
        self._ingest = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()

    def stop_ingest(self) -> None:
        if self._ingest is not None:
            self._ingest.terminate()
            self._ingest.wait()
            self._ingest = None

    def add_devices(self, count: int) -> Path:
        """Add devices by a file; where their tokens are."""
        file, tokens = self.folder / "fleet.csv", self.folder / "tokens.jsonl"
        file.write_text("name,site\n" + "".join(f"sim-{number:02},plant\n" for number in range(count)))
        command = [*ANDON, "device", "add", "--from", str(file), "--tokens-file", str(tokens)]
        subprocess.run([*command, "--config", str(self.config)], check=True, capture_output=True)
        return tokens

    def publish(self, number: int = 1) -> str:
        release = bench_release.approve(self.hub, number=number)
        publish.publish(self.hub, release)
        return release

    def fleet(self, devices: int, *options: str) -> "RunningFleet":
        fleet = RunningFleet(self, devices, *options)
        self._stack.callback(fleet.kill)
        return fleet

    def roll_out(self, release: str, waves=("10%", "100%"), tolerated=0.9) -> str:
        plan = Plan(
            release=release,
            use_case=bench_release.USE_CASE,
            waves=tuple(map(Wave.parse, waves)),
            tolerated=tolerated,
        )
        return self.hub.rollouts.start(plan, actor="ada")

    def drive_until(self, reached, seconds: float = 90.0) -> None:
        """Step the engine until it came to that."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, f"it never came to that: {self.endings()}"
            self.engine.step_all()
            time.sleep(0.05)

    def endings(self) -> dict[str, str]:
        rows = self.hub.database.rows(
            "SELECT d.name, rd.state FROM rollout_device rd JOIN device d ON d.id = rd.device"
        )
        return {row["name"]: row["state"] for row in rows}

    def reported(self, device: str) -> list[str]:
        rows = self.hub.database.rows(
            "SELECT r.state FROM report r JOIN device d ON d.id = r.device WHERE d.name = %(name)s"
            " ORDER BY r.time, r.id",
            {"name": device},
        )
        return [row["state"] for row in rows]

    def count(self, query: str) -> int:
        return self.hub.database.row(f"SELECT count(*) AS n FROM {query}")["n"]

    def _configure(self, database: str, hub_port: int) -> None:
        broker = f'[broker]\nhost = "localhost"\nport = {hub_port}\n'
        self.config.write_text(f'database_url = "{database}"\n{broker}')

    def _serve_devices(self, database: str, port: int, issued) -> None:
        broker = {"host": "localhost", "port": port}
        settings = {"state_dir": str(self.folder / "hub"), "database_url": database, "broker": broker}
        app = create_device_app(HubConfig.parse(settings, origin="test"), self.hub.database)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(issued.server_certificate, issued.server_key)
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet, ssl_context=tls)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        for end in (server.server_close, thread.join, server.shutdown):
            self._stack.callback(end)
        self.url = f"https://127.0.0.1:{server.server_port}"


class RunningFleet:
    """``andon sim fleet`` as a process; ``ready`` is the line it says once all are connected."""

    def __init__(self, world: FleetWorld, devices: int, *options: str) -> None:
        self._errors = (world.folder / "fleet.log").open("a+")
        place = ("--devices", str(devices), "--state", str(world.folder / "fleet"))
        self._process = subprocess.Popen(
            [*ANDON, "sim", "fleet", *place, *QUICK, *options],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        line = self._process.stdout.readline()
        self._errors.seek(0)
        assert line, self._errors.read()
        self.ready = json.loads(line)

    def stop(self) -> dict[str, int]:
        """End it in order; what it says that happened."""
        self._process.send_signal(signal.SIGINT)
        said, _ = self._process.communicate(timeout=40)
        assert self._process.returncode == 0
        return json.loads(said)["ended"]

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate()
        self._errors.close()
