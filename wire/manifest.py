"""The manifest of a bundle: what a release is for, what goes in, what comes out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self, TypeVar

from wire.errors import BundleError

ANY_TARGET = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One feature, in the order the network takes them."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output of the network and the range a sound answer lies in."""

    name: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalTable:
    """A conformal interval: by predicted value, how far below and above the truth may lie.

    Bin i holds predictions from ``edges[i]`` (the first from anywhere below) up to ``edges[i + 1]``.
    """

    coverage: float
    edges: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """When predictions become an alarm, and when it ends."""

    output: str
    direction: str  # "below" or "above"
    threshold: float
    clear: float
    persistence: int  # predictions in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    use_case: str
    version: int
    release: str  # "<use case>/<version>"
    machine_class: str
    feature_set: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rtol: float
    atol: float
    interval: IntervalTable | None = None  # of the output "remaining_life"
    alarms: tuple[AlarmRule, ...] = ()
    targets: tuple[str, ...] = (ANY_TARGET,)
    opset: int = 17
    lineage: Mapping[str, str] = field(default_factory=dict)  # run, dataset, dataset_hash, code

    def to_json(self) -> bytes:
        plain = asdict(self) | {"lineage": dict(self.lineage)}
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        try:
            row = json.loads(payload)
            interval = row["interval"]
            return cls(
                use_case=str(row["use_case"]),
                version=int(row["version"]),
                release=str(row["release"]),
                machine_class=str(row["machine_class"]),
                feature_set=str(row["feature_set"]),
                inputs=tuple(_values(Input, row) for row in row["inputs"]),
                outputs=tuple(_values(Output, row) for row in row["outputs"]),
                rtol=float(row["rtol"]),
                atol=float(row["atol"]),
                interval=_interval(interval) if interval else None,
                alarms=tuple(_values(AlarmRule, row) for row in row["alarms"]),
                targets=tuple(map(str, row["targets"])),
                opset=int(row["opset"]),
                lineage={str(key): str(value) for key, value in row["lineage"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
            raise BundleError(f"not a manifest: {error!r}") from error


_Row = TypeVar("_Row", Input, Output, AlarmRule)


def _values(kind: type[_Row], row: Mapping[str, Any]) -> _Row:
    return kind(**{item.name: row[item.name] for item in fields(kind)})


def _interval(row: Mapping[str, Any]) -> IntervalTable:
    return IntervalTable(
        coverage=float(row["coverage"]),
        edges=tuple(map(float, row["edges"])),
        lower=tuple(map(float, row["lower"])),
        upper=tuple(map(float, row["upper"])),
    )
