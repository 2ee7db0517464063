"""A hub and its devices as people run them: by `andon` commands, beside live sources that remember what they said."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from psycopg.types.json import Jsonb

from cloud_hub.signing.repository import Repository
from cloud_hub.store.database import Database
from kernels import sets
from wire.bundle import Bundle, write_bundle
from wire.errors import FeedError
from wire.feed import FeedReader, FeedWriter, Hello, Reading, listen
from wire.manifest import Input, Manifest, Output
from wire.table import Machine, Signal, SignalTable

USE_CASE = "engine-life"
SCALARS = ("s0", "s1")
PACE_S = 0.02


def until(true: Callable[[], object], *, timeout_s: float = 120.0, what: str = "") -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {what}"
        time.sleep(0.1)


class LiveSource:
    """A machine that says what it measures now, to whoever listens now, and never again."""

    def __init__(self, path: Path, machine: str) -> None:
        self.address = f"unix:{path}"
        self.said: list[tuple[int, float]] = []  # time in microseconds, value of s0; s1 is its half
        self._table = SignalTable(
            machines=(Machine(name=machine, machine_class="engine", feature_set="trend/1"),),
            signals=tuple(Signal(id=i, machine=0, name=name, unit="1") for i, name in enumerate(SCALARS)),
        )
        self._listener = listen(self.address)
        self._listener.settimeout(0.1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                try:
                    self._stream(FeedReader(connection), FeedWriter(connection))
                except (OSError, FeedError):
                    continue

    def _stream(self, reader: FeedReader, writer: FeedWriter) -> None:
        reader.receive()
        writer.send(Hello(table=self._table, replayable=False))
        position = 0
        while not self._stopping.is_set():
            position += 1
            value = float(len(self.said))
            now_us = time.time_ns() // 1000
            writer.send(
                Reading(
                    position=position, machine=0, time_us=now_us, signals=(0, 1), values=(value, value / 2)
                )
            )
            self.said.append((now_us, value))
            time.sleep(PACE_S)


class Hub:
    """One hub in ``folder``; killed, wiped and restored as its disk would have it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "hub.toml"
        self.log = folder.with_name("hub.log")
        self.process: subprocess.Popen[bytes] | None = None
        self.andon("install", "--state-dir", str(folder))

    def command(self, *words: str, name: str = "hub") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "andon", name, *words],
            env=os.environ
            | {"ANDON_HUB_CONFIG": str(self.config), "ANDON_CLOCK": "", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def andon(self, *words: str, name: str = "hub") -> str:
        """What the command printed; it has to succeed."""
        done = self.command(*words, name=name)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str, name: str = "hub") -> Any:
        return json.loads(self.andon(*words, "--json", name=name))

    def refusal(self, *words: str, name: str = "hub") -> str:
        """The one sentence with which the command refuses."""
        done = self.command(*words, name=name)
        assert done.returncode == 1, done.stdout
        assert done.stderr.startswith("error: "), done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr.removeprefix("error: ").strip()

    def start(self) -> dict[str, Any]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "andon", "hub", "run", "--ephemeral", "--json"],
                env=os.environ | {"ANDON_HUB_CONFIG": str(self.config), "ANDON_CLOCK": ""},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()[-2000:]
        ready: dict[str, Any] = json.loads(line)
        return ready

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def die(self) -> None:
        """SIGKILL for the whole hub, and its disk is gone."""
        self.kill()
        shutil.rmtree(self.folder)

    def stop(self) -> None:
        if self.process is not None:
            self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(how)
        self.process.wait(60)
        self.process.stdout.close()
        self.process = None

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        url = json.loads((self.folder / "run" / "endpoints.json").read_text())["database_url"]
        with Database(url).connect() as connection:
            return connection.execute(query, values).fetchall()

    def release(self, version: int) -> str:
        """A released model that answers 50 h, as training, approval and publishing would have left it."""
        release, content = f"{USE_CASE}/{version}", network()
        made = sets.make("trend/1", scalars=list(SCALARS))
        manifest = Manifest(
            use_case=USE_CASE,
            version=version,
            release=release,
            machine_class="engine",
            feature_set="trend/1",
            inputs=tuple(
                Input(name=name, unit=unit) for name, unit in zip(made.names, made.units, strict=True)
            ),
            outputs=(
                Output(name="remaining_life", unit="h", low=0.0, high=100.0),
                Output(name="anomaly", unit="1", low=0.0, high=10.0),
            ),
            rtol=1e-3,
            atol=1e-3,
        )
        inputs = np.zeros((2, made.width), np.float32)
        outputs = np.tile(np.array([50.0, 0.25], np.float32), (2, 1))
        file = self.folder / "artifacts" / "bundles" / f"{release}.zip"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bundle(
            file, Bundle(manifest=manifest, onnx=content, golden_inputs=inputs, golden_outputs=outputs)
        )
        published = Repository(self.folder).publish_bundle(file, f"bundles/{release}.zip")
        digest = hashlib.sha256(content).hexdigest()
        place = self.folder / "artifacts" / "models" / USE_CASE / f"{digest}.onnx"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        values = {
            "run": f"{USE_CASE}-run-{version}",
            "use_case": USE_CASE,
            "version": version,
            "release": release,
            "onnx": f"models/{USE_CASE}/{digest}.onnx",
            "digest": digest,
            "manifest": Jsonb(json.loads(manifest.to_json())),
            "path": published.target_path,
            "sha256": published.sha256,
            "now": datetime.now(UTC),
        }
        self.rows(
            "INSERT INTO run (id, use_case, state, correlation, created)"
            " VALUES (%(run)s, %(use_case)s, 'done', 'c-1', %(now)s) RETURNING id",
            **values,
        )
        self.rows(
            "INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate,"
            " bundle_path, bundle_sha256, created, released) VALUES (%(use_case)s, %(version)s, %(release)s,"
            " %(run)s, 'released', %(onnx)s, %(digest)s, %(manifest)s, '{}', %(path)s, %(sha256)s, %(now)s,"
            " %(now)s) RETURNING version",
            **values,
        )
        return release

    def roll_out(self, release: str, *devices: str) -> None:
        """Send ``release`` to the devices and wait until they run it."""
        chosen = [word for device in devices for word in ("--device", device)]
        started = self.json("start", release, "--wave", "100%", *chosen, name="rollout")["rollout"]["id"]
        state = "SELECT state, reason FROM rollout WHERE id = %(id)s"
        until(lambda: self.rows(state, id=started)[0]["state"] != "running", what=f"{started} ends")
        (ended,) = self.rows(state, id=started)
        of_devices = self.rows("SELECT * FROM rollout_device WHERE rollout = %(id)s", id=started)
        assert ended["state"] == "done", (ended, of_devices)


class Device:
    """One agent beside one live source."""

    def __init__(self, folder: Path, hub: Hub, name: str, hub_url: str) -> None:
        folder.mkdir()
        self.name, self.folder = name, folder
        self.source = LiveSource(folder / "feed.sock", f"{name}-engine")
        self.config = folder / "agent.toml"
        self.config.write_text(
            f'device = "{name}"\nstate_dir = "{folder}"\n[hub]\nurl = "{hub_url}"\n'
            f'[feed]\naddress = "{self.source.address}"\n'
            "[uplink]\nresend_s = 0.5\nresend_max_s = 2.0\nreconnect_max_s = 0.5\nmax_age_s = 0.2\n"
            "[probation]\npredictions = 2\nhours = 0\nmax_p99_ms = 5000\n"
        )
        token = folder / "token"
        hub.andon("add", name, "--site", "plant-1", "--token-file", str(token), name="device")
        hub.andon("enroll", "--config", str(self.config), "--token-file", str(token), name="edge")
        with (folder / "agent.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "andon", "edge", "run", "--config", str(self.config)],
                env=os.environ | {"ANDON_CLOCK": "", "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
            )

    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.folder / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def drain(self) -> None:
        """Let the source fall silent and wait until the hub has settled everything."""
        self.source.stop()
        until(
            lambda: self.status()["counters"]["samples"] == 2 * len(self.source.said),
            what="the agent takes all",
        )
        until(lambda: self.status()["outbox"]["batches"] == 0, what=f"{self.name} drains: {self.status()}")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def network() -> bytes:
    """remaining_life 50, anomaly 0.25, whatever the features say."""
    width = len(sets.make("trend/1", scalars=list(SCALARS)).names)
    outputs = ("remaining_life", "anomaly")
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Gemm", ["features", "weights", "bias"], ["both"]),
                helper.make_node("Split", ["both", "sizes"], list(outputs), axis=1),
            ],
            "small",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", width])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 1]) for output in outputs],
            [
                numpy_helper.from_array(np.zeros((width, 2), np.float32), "weights"),
                numpy_helper.from_array(np.array([50.0, 0.25], np.float32), "bias"),
                numpy_helper.from_array(np.array([1, 1], np.int64), "sizes"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def account(hub: Hub, device: Device) -> dict[str, int]:
    """What became of every sample that the source said."""
    rows = hub.rows(
        "SELECT signal.name, (extract(epoch FROM sample.time) * 1000000)::bigint AS time_us, sample.value"
        "  FROM sample JOIN signal ON signal.id = sample.signal JOIN machine ON machine.id = signal.machine"
        " WHERE machine.name = %(machine)s",
        machine=f"{device.name}-engine",
    )
    stored = Counter((row["name"], row["time_us"], row["value"]) for row in rows)
    said = [
        (name, time_us, value / (1 + index))
        for time_us, value in device.source.said
        for index, name in enumerate(SCALARS)
    ]
    gaps = hub.rows(
        "SELECT reason, (extract(epoch FROM from_time) * 1000000)::bigint AS first,"
        " (extract(epoch FROM to_time) * 1000000)::bigint AS last FROM gap JOIN device ON device.id = gap.device"
        " WHERE device.name = %(name)s AND from_time IS NOT NULL",
        name=device.name,
    )
    lost = [sample for sample in said if not stored[sample]]
    return {
        "said": len(said),
        "stored": sum(stored.values()),
        "strange": sum((stored - Counter(said)).values()),  # doubled, or never said
        "lost": len(lost),
        "unexplained": sum(
            not any(gap["first"] <= time_us <= gap["last"] for gap in gaps) for _, time_us, _ in lost
        ),
    }
