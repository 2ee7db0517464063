"""A shared engine: one network, compiled for one target by one version of TensorRT, as a file to sign.

A plan runs as code on whoever loads it, so it comes from builder hosts alone, under
``engines-<target>``; what a device compiles for itself never becomes such a file. Its name is
its key: a device works out, from what it has, which engine would fit, and asks for that one.

    engine.json    what it was compiled from, for whom, by what
    plan           TensorRT's own bytes
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from wire.archive import read_archive, write_archive
from wire.bundle import file_sha256
from wire.errors import EngineError, WireError
from wire.precision import Precision

NAMES = ("engine.json", "plan")
LARGEST = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKey:
    """What decides whether an engine fits: another value of any of these is another engine."""

    use_case: str
    version: int
    onnx_sha256: str  # of the very network it was compiled from: the bundle's, or its variant
    target: str
    runtime: str  # "tensorrt" or "tensorrt-rtx"
    runtime_version: str
    precision: Precision

    @property
    def name(self) -> str:
        """Of the engine below its target: ``motor-health/3.fp16.10.13.2.6.0123456789abcdef.engine``."""
        parts = (str(self.version), self.precision, self.runtime_version, self.onnx_sha256[:16], "engine")
        return f"{self.use_case}/{'.'.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineManifest:
    key: EngineKey
    compute_capabilities: tuple[str, ...]  # CUDA's "8.7"
    stripped: bool  # the plan holds no weights: they come from the network by a refit
    worst: float  # the largest deviation from the oracle, as a share of what is tolerated; NaN is not sent
    built: str  # when, ISO 8601
    # The GPU that gave the answers compared; "": compiled ahead of time, where none was. ``worst`` is then of
    # the network on a CPU, and nobody has heard the engine itself before a device's golden inputs do.
    compared_on: str = ""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        try:
            row = json.loads(payload)
            key = row["key"]
            return cls(
                key=EngineKey(
                    use_case=str(key["use_case"]),
                    version=int(key["version"]),
                    onnx_sha256=str(key["onnx_sha256"]),
                    target=str(key["target"]),
                    runtime=str(key["runtime"]),
                    runtime_version=str(key["runtime_version"]),
                    precision=Precision(key["precision"]),
                ),
                compute_capabilities=tuple(map(str, row["compute_capabilities"])),
                stripped=bool(row["stripped"]),
                worst=float(row["worst"]),
                built=str(row["built"]),
                compared_on=str(row.get("compared_on", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
            raise EngineError(f"not the description of an engine: {error!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engine:
    manifest: EngineManifest
    plan: bytes


def write_engine(path: Path, engine: Engine) -> str:
    """Write ``engine`` to ``path`` and return the file's SHA-256, hex."""
    write_archive(path, dict(zip(NAMES, (engine.manifest.to_json(), engine.plan), strict=True)))
    return file_sha256(path)


def read_engine(path: Path, *, largest: int = LARGEST) -> Engine:
    """The engine in ``path``; ``EngineError`` names what is wrong with it. Nothing in it is run."""
    try:
        members = read_archive(path, NAMES, largest=largest)
    except WireError as error:
        raise EngineError(f"not an engine: {error}") from error
    if not members["plan"]:
        raise EngineError(f"{path.name}: expected a plan, got none")
    return Engine(manifest=EngineManifest.from_json(members["engine.json"]), plan=members["plan"])


def check_key(expected: EngineKey, found: EngineKey) -> None:
    """Raise ``EngineError`` with the first thing that differs: what was expected, and what came."""
    for name, wanted in asdict(expected).items():
        got = getattr(found, name)
        if got != wanted:
            raise EngineError(f"expected an engine of {name.replace('_', ' ')} {wanted}, got {got}")
