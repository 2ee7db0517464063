"""The manifest of a bundle: what a release is for, what goes in, what comes out."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self, TypeVar

from wire.errors import BundleError, defect

ANY_TARGET = "*"
INTERVAL_OF = "remaining_life"  # the output that the interval bounds ...
BOUNDS = ("lower", "upper")  # ... and the numbers that follow it in a prediction row
SAME_RATE = 0.01  # a share: lines of a spectrum are looked for as far beside where they should be


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One feature, in the order the network takes them."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """A signal that windows come of, and the rate at which the machines gave them that were learnt from."""

    name: str
    rate_hz: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise BundleError(f"{self.name}: expected a finite rate above 0 Hz, got {self.rate_hz}")


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
class ConditionTable:
    """Operating conditions as they were learnt: where each lies, and what every scalar does in it.

    ``centres`` [c][s] and ``radius`` [c] are in units of ``scale`` [s], one a signal that tells the
    condition; ``mean`` and ``spread`` [c][k] are of ``scalars``, in their units.
    """

    signals: tuple[str, ...]
    scale: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    radius: tuple[float, ...]
    scalars: tuple[str, ...]
    mean: tuple[tuple[float, ...], ...]
    spread: tuple[tuple[float, ...], ...]


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
    waveforms: tuple[Waveform, ...] = ()  # what the inputs are made of besides scalars; an old one tells none
    outputs: tuple[Output, ...]
    rtol: float
    atol: float
    interval: IntervalTable | None = None  # of the output "remaining_life"
    conditions: ConditionTable | None = None
    alarms: tuple[AlarmRule, ...] = ()
    targets: tuple[str, ...] = (ANY_TARGET,)
    opset: int = 17
    lineage: Mapping[str, str] = field(default_factory=dict)  # run, dataset, dataset_hash, code

    def to_json(self) -> bytes:
        plain = asdict(self) | {"lineage": dict(self.lineage)}
        if not self.waveforms:
            del plain["waveforms"]  # a manifest that tells none has the bytes it had before any did
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        try:
            row = json.loads(payload)
            interval, conditions = row["interval"], row.get("conditions")
            return cls(
                use_case=str(row["use_case"]),
                version=int(row["version"]),
                release=str(row["release"]),
                machine_class=str(row["machine_class"]),
                feature_set=str(row["feature_set"]),
                inputs=tuple(_values(Input, row) for row in row["inputs"]),
                waveforms=tuple(map(_waveform, row.get("waveforms", ()))),
                outputs=tuple(_values(Output, row) for row in row["outputs"]),
                rtol=float(row["rtol"]),
                atol=float(row["atol"]),
                interval=_interval(interval) if interval else None,
                conditions=_conditions(conditions) if conditions else None,
                alarms=tuple(_values(AlarmRule, row) for row in row["alarms"]),
                targets=tuple(map(str, row["targets"])),
                opset=int(row["opset"]),
                lineage={str(key): str(value) for key, value in row["lineage"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
            raise BundleError(f"not a manifest: {defect(error)}") from error


def row_names(manifest: Manifest) -> tuple[str, ...]:
    """What the numbers of a prediction row are: the outputs, with the bounds behind ``INTERVAL_OF``."""
    names = [output.name for output in manifest.outputs]
    if manifest.interval is not None and INTERVAL_OF in names:
        place = names.index(INTERVAL_OF) + 1
        names[place:place] = BOUNDS
    return tuple(names)


def same_rate(one: float, other: float) -> bool:
    """Whether windows at these rates, in Hz, have the same features."""
    return math.isclose(one, other, rel_tol=SAME_RATE)


def rate_misfit(taught: Sequence[Waveform], rates: Mapping[str, float]) -> str:
    """Which of ``taught`` comes at another rate by ``rates`` (Hz by name), in words; empty: none."""
    for waveform in taught:
        rate_hz = rates.get(waveform.name)
        if rate_hz is None or not same_rate(waveform.rate_hz, rate_hz):
            found = "no such waveform" if rate_hz is None else f"{rate_hz:g} Hz"
            return f"{waveform.name}: expected windows at {waveform.rate_hz:g} Hz, got {found}"
    return ""


_Row = TypeVar("_Row", Input, Output, AlarmRule)


def _values(kind: type[_Row], row: Mapping[str, Any]) -> _Row:
    return kind(**{item.name: row[item.name] for item in fields(kind)})


def _waveform(row: Mapping[str, Any]) -> Waveform:
    return Waveform(name=str(row["name"]), rate_hz=float(row["rate_hz"]))


def _interval(row: Mapping[str, Any]) -> IntervalTable:
    return IntervalTable(
        coverage=float(row["coverage"]),
        edges=tuple(map(float, row["edges"])),
        lower=tuple(map(float, row["lower"])),
        upper=tuple(map(float, row["upper"])),
    )


def _conditions(row: Mapping[str, Any]) -> ConditionTable:
    table = ConditionTable(
        signals=tuple(map(str, row["signals"])),
        scale=tuple(map(float, row["scale"])),
        centres=_table(row["centres"]),
        radius=tuple(map(float, row["radius"])),
        scalars=tuple(map(str, row["scalars"])),
        mean=_table(row["mean"]),
        spread=_table(row["spread"]),
    )
    count, settings, scalars = len(table.centres), len(table.signals), len(table.scalars)
    shapes = {
        "scale": (settings,) == (len(table.scale),),
        "radius": (count,) == (len(table.radius),),
        "centres": all(len(line) == settings for line in table.centres),
        "mean": len(table.mean) == count and all(len(line) == scalars for line in table.mean),
        "spread": len(table.spread) == count and all(len(line) == scalars for line in table.spread),
    }
    if wrong := [name for name, fits in shapes.items() if not fits]:
        raise ValueError(f"expected tables of {count} conditions, got other sizes of {', '.join(wrong)}")
    return table


def _table(rows: Sequence[Sequence[Any]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in rows)
