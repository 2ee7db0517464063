"""A hub that signs and serves for real, a device with a certificate of its own, and models of a few bytes."""

import json
from dataclasses import dataclass, field, replace

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from werkzeug.serving import WSGIRequestHandler

from cloud_hub.identity.ca import Authority
from cloud_hub.signing.director import Director
from cloud_hub.signing.repository import Repository
from edge_agent.config import AgentConfig, ProbationSettings
from edge_agent.identity import Identity
from edge_agent.memory import resident_bytes
from edge_agent.updates import DeviceFacts, Features, Updates
from edge_agent.updates.deferral import never
from edge_agent.updates.disk import Disk
from edge_agent.updates.states import RESTING
from wire.bundle import Bundle, write_bundle
from wire.clock import Clock
from wire.directive import Directive
from wire.manifest import Input, Manifest, Output
from wire.precision import Precision

USE_CASE = "motor-health"
DEVICE = "press-04"
NAMES = ("vibration.rms", "vibration.kurtosis")
HOUR_US = 3_600_000_000


class Linear:
    """A network of four numbers: outputs = features @ weights + offsets."""

    name = "linear"
    precision = Precision.FP32

    def __init__(self, onnx):
        numbers = np.frombuffer(onnx, dtype="<f4")
        if len(numbers) != 6:
            raise ValueError("operator Mystery is not implemented")
        self.weights, self.offsets = numbers[:4].reshape(2, 2), numbers[4:]

    def run(self, features):
        return (features @ self.weights + self.offsets).astype(np.float32)

    def close(self):
        """It holds nothing."""


def linear(bundle):
    return Linear(bundle.onnx)


class HastyDisk(Disk):
    """Does not wait for the real disk: no test here pulls the plug of this machine."""

    def sync(self, path):
        assert path.exists()


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self):
        self.ahead_us = 0

    def now_us(self):
        return Clock.real().now_us() + self.ahead_us


class Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement

    def log(self, *_):
        pass


@dataclass
class Hub:
    """The hub's half, and the sequence numbers of its directives."""

    state_dir: object
    url: str
    repository: Repository
    director: Director
    fingerprint: str
    server: object
    site: str = "plant-1"
    sequence: int = 0
    published: dict = field(default_factory=dict)

    def manifest(self, version, **changes):
        made = Manifest(
            use_case=USE_CASE, version=version, release=f"{USE_CASE}/{version}", machine_class="motor-pump",
            feature_set="vibration-trend/1", inputs=tuple(Input(name=name, unit="1") for name in NAMES),
            outputs=(
                Output(name="remaining_life", unit="h", low=0, high=1000),
                Output(name="anomaly", unit="1", low=0, high=1),
            ),
            rtol=1e-4, atol=1e-5,
        )  # fmt: skip
        return replace(made, **changes)

    def bundle(self, version, *, offset=100.0, golden=None, onnx=None, card="", **changes):
        """A bundle whose model answers (offset + features, 0.5)."""
        network = (
            np.array([1, 0, 0, 0, offset + version, 0.5], dtype="<f4").tobytes() if onnx is None else onnx
        )
        inputs = np.array([[1, 2], [3, 4]], dtype=np.float32)
        outputs = Linear(network).run(inputs) if golden is None else golden
        made = Bundle(
            manifest=self.manifest(version, **changes),
            onnx=network,
            golden_inputs=inputs,
            golden_outputs=outputs,
            card_html=card,
        )
        path = self.state_dir / f"built-{version}.zip"
        write_bundle(path, made)
        return path

    def publish(self, version, **made):
        path = self.bundle(version, **made)
        self.published[version] = self.repository.publish_bundle(path, f"bundles/{USE_CASE}/{version}.zip")
        return self.published[version]

    def directive(self, version, **changes):
        self.sequence += 1
        now_us = Clock.real().now_us()
        published = self.published.get(version)
        made = Directive(
            device=DEVICE, key_fingerprint=self.fingerprint, use_case=USE_CASE, release=f"{USE_CASE}/{version}",
            bundle_path=published.target_path if published else f"bundles/{USE_CASE}/{version}.zip",
            bundle_sha256=published.sha256 if published else "0" * 64,
            sequence=self.sequence, issued_us=now_us, expires_us=now_us + 24 * HOUR_US, rollout="r1", correlation="c1",
        )  # fmt: skip
        return replace(made, **changes)

    def offer(self, version, **changes):
        return self.director.sign(self.directive(version, **changes)).to_bytes()

    def target_file(self, version):
        published = self.published[version]
        return self.repository.targets_folder / f"bundles/{USE_CASE}/{published.sha256}.{version}.zip"


@dataclass
class Device:
    """The device's half, driven one turn at a time."""

    state_dir: object
    identity: Identity
    clock: Hands = field(default_factory=Hands)
    limits: ProbationSettings = field(
        default_factory=lambda: ProbationSettings(predictions=4, hours=0, max_p99_ms=1000)
    )
    target: str = "generic"
    features: dict = field(
        default_factory=lambda: {
            "motor-pump": Features(feature_set="vibration-trend/1", names=NAMES, units=("1", "1"))
        }
    )
    reports: list = field(default_factory=list)
    make_runner: object = linear
    full: bool = False  # whether the outbox takes no reports
    deferral: object = never
    memory: object = resident_bytes
    engines: object = None  # what runs engines here
    withdrawn: list = field(default_factory=list)  # engines
    updates: Updates = None

    def boot(self, disk=None):
        self.updates = Updates(
            self.state_dir,
            self.identity,
            self.clock,
            self.limits,
            DeviceFacts(target=self.target, features=self.features.get),
            report=self.take,
            make_runner=self.make_runner,
            deferral=self.deferral,
            memory=self.memory,
            engines=self.engines,
            withdrawn=self.withdrawn.append,
            disk=disk or HastyDisk(),
        )
        self.updates.bring_up()
        return self.updates

    def take(self, report):
        if self.full:
            raise OSError("the outbox is full")
        self.reports.append(report)

    def offer(self, payload, use_case=USE_CASE):
        self.updates.offer(use_case, payload)
        return self.settle()

    def settle(self, turns=20):
        """Turn until nothing is left to do but to watch a model on probation, or to wait for its moment."""
        for _ in range(turns):
            self.updates.turn()
            if self.state in ("probation", "deferred") or self.state in RESTING:
                break
        self.updates.turn()
        return self.state

    def predict(self, count, features=(1.0, 2.0)):
        """What the pipeline does: run the model and the one beside it, tell what they said."""
        rows = np.array([features], dtype=np.float32)
        for _ in range(count):
            running, shadow = self.updates.running()[USE_CASE], self.updates.shadow(USE_CASE)
            old = shadow.runner.run(rows) if shadow else None
            self.updates.observe(USE_CASE, rows, running.runner.run(rows), old, seconds=0.001)

    def commit(self, payload):
        """Take a directive through download and probation."""
        self.offer(payload)
        self.prove()

    def prove(self):
        self.predict(8)
        return self.settle()

    @property
    def state(self):
        states = {state.use_case: state.state for state in self.updates.use_case_states()}
        return states.get(USE_CASE, "idle")

    @property
    def release(self):
        loaded = self.updates.running().get(USE_CASE)
        return loaded.release if loaded else None

    @property
    def told(self):
        return [report.state for report in self.reports]

    @property
    def last(self):
        return self.reports[-1]


def enrolled(hub, state_dir, name=DEVICE):
    """The identity that enrolment would leave; enrolment itself has tests of its own."""
    folder = state_dir / "identity"
    folder.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    authority = Authority.of(hub.state_dir)
    (folder / "device.crt").write_bytes(authority.sign_csr(request.public_bytes(Encoding.PEM), name))
    (folder / "device.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "ca.crt").write_bytes(authority.certificate)
    (folder / "root.json").write_bytes(hub.repository.root_file.read_bytes())
    told = {
        "device": name, "site": hub.site, "hub_url": hub.url, "broker_host": "localhost", "broker_port": 1,
        "time_us": Clock.real().now_us(),
    }  # fmt: skip
    (folder / "enrolment.json").write_text(json.dumps(told))
    config = AgentConfig.parse(
        {"device": name, "state_dir": str(state_dir), "feed": {"address": "unix:/nowhere"}}, origin="test"
    )
    return Identity.load(config)


def refused(device, reason, *, sequence=None):
    """Whether the device said no, by a sentence that contains ``reason``."""
    said = [report for report in device.reports if report.state == "refused"]
    assert len(said) == 1, device.reports
    assert reason in said[0].reason
    assert sequence is None or said[0].directive_sequence == sequence
    return True


def slots(device):
    folder = device.state_dir / "updates" / "slots" / USE_CASE
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
