"""Everything around the ingest that is measured: a PostgreSQL, a mosquitto with TLS, certificates and access
rules, enrolled devices and their publisher. All real, all of its own, all gone at the end.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_hub.config import CONFIG_VARIABLE, HubConfig
from cloud_hub.files import write_private
from cloud_hub.identity import certificates, certifying, devices
from cloud_hub.identity.ca import Authority
from cloud_hub.ingest.bench_load import Fleet, table_of
from cloud_hub.parts.broker import Address, Broker, ServerFiles
from cloud_hub.parts.errors import PartError
from cloud_hub.parts.postgres import Postgres
from cloud_hub.parts.processes import last_words, spawn, stop
from cloud_hub.store.bench_stage import BenchStage
from cloud_hub.store.database import Database
from cloud_hub.store.migrate import migrate
from wire.clock import Clock
from wire.messages import Birth

DEVICES = 20
READY_S = 60.0
NAMES = ("localhost", "127.0.0.1")
_TERM = ((signal.SIGTERM, 30.0),)


class Factory(BenchStage):
    """``with Factory() as factory``: servers and devices are there; ``ingest`` starts processes."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet([f"press-{number:02}" for number in range(DEVICES)])
        self._config = self.folder / "hub.toml"
        self._logs: list[Path] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.database: Database
        self.server: Postgres

    def ingest(self, count: int) -> None:
        """Have ``count`` ingest processes running and subscribed, these and no others."""
        while len(self.processes) > count:
            stop(self.processes.pop(), *_TERM)
            self._logs.pop()
        while len(self.processes) < count:
            log = self.folder / f"ingest-{time.monotonic_ns()}.log"
            command = [sys.executable, "-P", "-m", "andon", "hub", "ingest"]
            self.processes.append(spawn(command, log=log, environment={CONFIG_VARIABLE: str(self._config)}))
            self._logs.append(log)
        deadline = time.monotonic() + READY_S
        for process, log in zip(self.processes, self._logs, strict=True):
            while "connected to the broker" not in log.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise PartError(f"ingest did not start: {last_words(log, lines=3)}")
                time.sleep(0.05)
        time.sleep(0.5)  # the subscription follows the connection

    def publisher(self) -> "Publisher":
        """The fleet's publisher, connected; its births are on their way."""
        publisher = Publisher(self._plan(), self.folder / "publisher.log")
        self._stack.callback(publisher.close)
        return publisher

    def await_births(self) -> None:
        """Until the hub knows every device's signals: from then on nothing waits for a table."""
        deadline = time.monotonic() + READY_S
        while self._known() < len(self.fleet.names):
            if time.monotonic() > deadline:
                raise PartError(f"{self._known()} of {len(self.fleet.names)} births came")
            time.sleep(0.05)

    def _known(self) -> int:
        row = self.database.row("SELECT count(*) AS known FROM signal_table")
        return int(row["known"]) if row else 0

    def _start(self) -> None:
        self.server = Postgres(self.folder, ephemeral=True)
        conninfo = self.server.start()
        self._stack.callback(self.server.stop)
        config = HubConfig(state_dir=self.folder, database_url=conninfo)
        migrate(conninfo, config)
        self.database = Database(conninfo, most=2).open()
        self._stack.callback(self.database.close)
        self._stack.callback(self.ingest, 0)
        issued = certificates.ensure(self.folder, NAMES)
        files = ServerFiles(ca=issued.ca, certificate=issued.server_certificate, key=issued.server_key)
        broker = Broker(self.folder, files, ephemeral=True)
        if broker.program is None:
            raise PartError("this benchmark needs mosquitto: apt install mosquitto")
        self._address = broker.start()
        self._stack.callback(broker.stop)
        self._configure(conninfo, self._address)
        for name in self.fleet.names:
            self._enrol(name)

    def _configure(self, conninfo: str, address: Address) -> None:
        text = (
            f'state_dir = "{self.folder}"\ndatabase_url = "{conninfo}"\n'
            f'[broker]\nhost = "localhost"\nport = {address.hub_port}\n'
        )
        self._config.write_text(text)

    def _enrol(self, name: str) -> None:
        authority, now = Authority.of(self.folder), Clock.real().now()
        key = ec.generate_private_key(ec.SECP256R1())
        token = devices.add(
            self.database, authority, name=name, site="plant", profile="generic", zone=None, now=now
        )
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        signed = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        enrolled = certifying.enrol(self.database, authority, token=token, csr=signed, now=now)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self.folder / f"{name}.key", pem)
        (self.folder / f"{name}.crt").write_bytes(enrolled.certificate)

    def _plan(self) -> Path:
        plan = {
            "host": "localhost",
            "port": self._address.port,
            "ca": str(Authority.of(self.folder).certificate_file),
            "devices": [
                {
                    "name": name,
                    "certificate": str(self.folder / f"{name}.crt"),
                    "key": str(self.folder / f"{name}.key"),
                    "birth": _birth(name).hex(),
                }
                for name in self.fleet.names
            ],
        }
        file = self.folder / "plan.json"
        file.write_text(json.dumps(plan))
        return file


class Publisher:
    """The process that sends; see ``bench_publisher``."""

    def __init__(self, plan: Path, log: Path) -> None:
        command = [sys.executable, "-P", "-m", "cloud_hub.ingest.bench_publisher", str(plan)]
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._answer()

    def load(self, file: Path) -> None:
        """Have it ready to send what is in ``file``."""
        self._say(f"load {file}")

    def go(self) -> float:
        """Send it; seconds from the first byte to the last commit mark."""
        times = self._say("go")
        return float(times["ended"] - times["began"])

    def start(self) -> None:
        """Begin to send and come back at once; ``finish`` waits for the end."""
        self._write("go")

    def finish(self) -> float:
        times = self._answer()
        return float(times["ended"] - times["began"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _say(self, line: str) -> dict[str, Any]:
        self._write(line)
        return self._answer()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PartError(f"the publisher ended: {last_words(self._log, lines=3)}")
        return dict(json.loads(line))


def _birth(name: str) -> bytes:
    birth = Birth(
        profile="generic",
        target="generic",
        agent_version="bench",
        time_us=Clock.real().now_us(),
        table=table_of(name),
    )
    return birth.to_json()
