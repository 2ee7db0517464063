"""A hub with released models, as far as its scoring service sees one: rows, files, certificates."""

import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from cloud_hub.config import HubConfig
from cloud_hub.identity import certificates
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.revoked_list import RevokedList
from cloud_hub.store.database import Database
from models.graphs import Runner
from tests.edge_agent.edge_models import graph, release
from tests.stored_machines import Stored
from wire.bundle import Bundle, write_bundle
from wire.manifest import Input, Manifest

NAMES = ("pressure", "flow", "speed")
UNITS = ("bar", "m3/h", "Hz")
USE_CASE = "engine-life"


def bundle_of(version: int, *, life: float, divide_by: float = 1.0, golden_off: float = 0.0) -> Bundle:
    """``engine-life/<version>``: remaining life is ``life`` plus the pressure."""
    manifest: Manifest = replace(
        release(NAMES, version, life=life).manifest,
        inputs=tuple(Input(name=name, unit=unit) for name, unit in zip(NAMES, UNITS, strict=True)),
    )
    network = graph(len(NAMES), life=life, slope=1.0, divide_by=divide_by)
    golden = np.random.default_rng(version).normal(size=(8, len(NAMES))).astype(np.float32)
    outputs = Runner(network, ["remaining_life", "anomaly"]).run(golden) + np.float32(golden_off)
    return Bundle(manifest=manifest, onnx=network, golden_inputs=golden, golden_outputs=outputs)


class World:
    """State directory and database of one hub."""

    def __init__(self, state_dir: Path, database: Database) -> None:
        self.state_dir = state_dir
        self.database = database
        certificates.ensure(state_dir, ("localhost", "127.0.0.1"))
        self.authority = Authority.of(state_dir)
        self.revoked = RevokedList(self.authority)
        self.revoked.follow(database)
        self.config = HubConfig(state_dir=state_dir, database_url=database.conninfo)
        self._stored: Stored | None = None
        (state_dir / "hub.toml").write_text(
            f"state_dir = {json.dumps(str(state_dir))}\ndatabase_url = {json.dumps(database.conninfo)}\n"
        )

    def publish(self, bundle: Bundle) -> Path:
        """Release ``bundle``; the file that the repository serves."""
        manifest = bundle.manifest
        folder = self.state_dir / "repository" / "targets" / "bundles" / manifest.use_case
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{manifest.version}.zip"
        sha256 = write_bundle(partial, bundle)
        file = partial.rename(folder / f"{sha256}.{manifest.version}.zip")
        self.database.execute(
            "INSERT INTO run (id, use_case, state, correlation, created) "
            "VALUES (%(run)s, %(use_case)s, 'done', 'c-1', now())",
            {"run": manifest.release, "use_case": manifest.use_case},
        )
        self.database.execute(
            "INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, "
            "bundle_path, bundle_sha256, created, released) VALUES (%(use_case)s, %(version)s, %(release)s, "
            "%(release)s, 'released', '', %(onnx)s, %(manifest)s::jsonb, '{}', %(path)s, %(sha256)s, now(), now())",
            {
                "use_case": manifest.use_case,
                "version": manifest.version,
                "release": manifest.release,
                "onnx": hashlib.sha256(bundle.onnx).hexdigest(),
                "manifest": manifest.to_json().decode(),
                "path": f"bundles/{manifest.use_case}/{manifest.version}.zip",
                "sha256": sha256,
            },
        )
        return file

    def crown(self, version: int) -> None:
        self.database.execute(
            "INSERT INTO alias (use_case, name, version) VALUES (%(use_case)s, 'champion', %(version)s) "
            "ON CONFLICT (use_case, name) DO UPDATE SET version = excluded.version",
            {"use_case": USE_CASE, "version": version},
        )

    def hear(self, machine: str, times_us: list[int], rows: Any, predictions: Any, release: str) -> None:
        """Feature rows of ``machine``, and what a device predicted from them."""
        if self._stored is None:
            scalars = tuple(zip(NAMES, UNITS, strict=True))
            self._stored = Stored(
                self.database, machine_class="engine", scalars=scalars, feature_set="trend/1"
            )
        place = self._stored.add(machine)
        self._stored.rows(machine, times_us, np.asarray(rows, np.float32))
        self._stored.predict(machine, times_us, predictions, release)
        self.database.execute(
            "INSERT INTO latest_prediction SELECT machine, 'engine-life', release, time, values FROM prediction "
            "WHERE machine = %(machine)s ORDER BY time DESC LIMIT 1",
            {"machine": place},
        )

    def client(self, name: str | None) -> ssl.SSLContext:
        """Trust in this hub alone; with ``name``, a certificate of its own."""
        context = ssl.create_default_context(cafile=self.authority.certificate_file)
        if name:
            file = self.state_dir / f"{name}.pem"
            if not file.exists():
                issued = self.authority.issue_client(name)
                file.write_bytes(issued.key + issued.certificate)
            context.load_cert_chain(file)
        return context


class Served:
    """``andon hub serve`` of a world, until ``stop``."""

    def __init__(self, world: World, *only: str) -> None:
        self.world = world
        self.log = world.state_dir / "serve.log"
        self.home = world.state_dir.with_name(f"{world.state_dir.name}-home")
        self.home.mkdir(exist_ok=True)
        environment = os.environ | {
            "ANDON_HUB_CONFIG": str(world.state_dir / "hub.toml"),
            "HOME": str(self.home),
            "OMP_NUM_THREADS": "1",
        }
        environment.pop("ORT_DISABLE_TELEMETRY", None)  # it is the service that has to see to this
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "andon", "hub", "serve", *only],
                env=environment,
                stdout=output,
                stderr=output,
            )
        self.place = self._place()

    def ask(self, body: Any, *, name: str | None = "press-04", **headers: str) -> tuple[int, Any]:
        """POST ``body`` to /score as ``name``; status and what came back."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", "/score", payload, name=name, **headers)

    def send(
        self, method: str, path: str, payload: bytes = b"", *, name: str | None = "press-04", **headers: str
    ) -> tuple[int, Any]:
        line = HTTPSConnection(*self.place, timeout=20, context=self.world.client(name))
        line.request(method, path, payload, {"Content-Type": "application/json", **headers})
        response = line.getresponse()
        said = response.read().decode()
        line.close()
        try:
            return response.status, json.loads(said)
        except ValueError:
            return response.status, said

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def _place(self) -> tuple[str, int]:
        note = self.world.state_dir / "run" / "scoring.json"
        until = time.monotonic() + 30
        while not note.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)
        url = urlsplit(json.loads(note.read_text())["url"])
        return str(url.hostname), int(url.port or 0)
