"""A shared engine: one network, compiled for one target by one version of TensorRT, as a file to sign.

A plan runs as code on whoever loads it, so it comes from builder hosts alone, under
``engines-<target>``; what a device compiles for itself never becomes such a file. Its name is
its key: a device works out, from what it has, which engine would fit, and asks for that one.

    engine.json    what it was compiled from, for whom, by what
    plan           TensorRT's own bytes
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from wire.archive import read_archive, write_archive
from wire.bundle import file_sha256
from wire.errors import EngineError, WireError, defect
from wire.precision import Precision

NAMES = ("engine.json", "plan")
LARGEST = 1 << 30
LONGEST = 200  # characters of a text in the description


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
                    use_case=_text(key["use_case"]),
                    version=_whole(key["version"]),
                    onnx_sha256=_text(key["onnx_sha256"]),
                    target=_text(key["target"]),
                    runtime=_text(key["runtime"]),
                    runtime_version=_text(key["runtime_version"]),
                    precision=Precision(key["precision"]),
                ),
                compute_capabilities=tuple(map(_text, _listed(row["compute_capabilities"]))),
                stripped=_yes_or_no(row["stripped"]),
                worst=_share(row["worst"]),
                built=_text(row["built"]),
                compared_on=_text(row.get("compared_on", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
            raise EngineError(f"not the description of an engine: {defect(error)}") from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engine:
    manifest: EngineManifest
    plan: bytes


def write_engine(path: Path, engine: Engine) -> str:
    """Write ``engine`` to ``path`` and return the file's SHA-256, hex; EngineError if none would read it."""
    members = dict(zip(NAMES, (engine.manifest.to_json(), engine.plan), strict=True))
    try:
        write_archive(path, members, largest=LARGEST)
    except WireError as error:
        raise EngineError(f"{engine.manifest.key.name}: {error}") from error
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


def _text(value: object) -> str:
    """What a terminal and a path may be given."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST:
        raise ValueError(f"expected printable text of at most {LONGEST} characters, got {value!r:.99}")
    return value


def _whole(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"expected a version from 1, got {value!r:.99}")
    return value


def _listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {value!r:.99}")
    return value


def _yes_or_no(value: object) -> bool:
    if type(value) is not bool:
        raise TypeError(f"expected true or false, got {value!r:.99}")
    return value


def _share(value: object) -> float:
    """A number from 0: JSON as Python reads it has NaN and infinity too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"expected a share from 0, got {value!r:.99}")
    return float(value)
