"""A builder host and a device that runs engines: keys and plans are real, what the plans would do is not needed."""

import hashlib
from dataclasses import dataclass, replace

from update_parts import USE_CASE, HastyDisk

from edge_agent.engine_facts import EngineFacts
from edge_agent.engine_store import EngineStore
from wire.bundle import read_bundle
from wire.engine import Engine, EngineKey, EngineManifest, write_engine
from wire.precision import Precision

TARGET, OTHER = "orin-nx-jp7", "agx-orin-jp7"
FACTS = EngineFacts(
    target=TARGET, runtime="tensorrt", runtime_version="10.16.2", precisions=(Precision.FP16, Precision.FP32)
)
PLAN = b"a plan of TensorRT: " * 8000  # of several pieces


@dataclass
class Builder:
    """Makes engines and has them signed."""

    hub: object

    def key(self, version, precision=Precision.FP32, **changes):
        """As a device works it out for this release."""
        network = self.bundle(version).network(precision)
        made = EngineKey(
            use_case=USE_CASE, version=version, onnx_sha256=hashlib.sha256(network).hexdigest(), target=TARGET,
            runtime="tensorrt", runtime_version="10.16.2", precision=precision,
        )  # fmt: skip
        return replace(made, **changes)

    def bundle(self, version):
        return read_bundle(self.hub.state_dir / f"built-{version}.zip")

    def engine(self, key, plan=PLAN):
        manifest = EngineManifest(
            key=key, compute_capabilities=("8.7",), stripped=False, worst=0.1, built="2026-11-27T12:00:00Z"
        )
        path = self.hub.state_dir / "built.engine"
        write_engine(path, Engine(manifest=manifest, plan=plan))
        return path

    def publish(self, version, precision=Precision.FP32, *, inside=None, target=TARGET, file=None):
        """Sign an engine under the name that a device asks for; ``inside`` is the key it really has."""
        key = self.key(version, precision)
        made = file or self.engine(inside or key)
        return self.hub.repository.publish_engine(made, target, key.name)

    def served(self, published):
        """The file that clients are given."""
        folder, _, name = published.target_path.rpartition("/")
        return self.hub.repository.targets_folder / folder / f"{published.sha256}.{name}"


def store(device):
    return EngineStore(device.state_dir, HastyDisk())


def engine(device, builder, version):
    """What would be run of this release."""
    return store(device).find(builder.bundle(version), FACTS)


def files(device):
    """What lies in the store."""
    return sorted(path for path in (device.state_dir / "engines").rglob("*") if path.is_file())


def said(device):
    return [row["said"] for row in device.updates.status()["shared_engines"]]


def told(device):
    """What was reported about engines."""
    return [(report.event, report.reason) for report in device.reports if report.event.startswith("engine-")]
