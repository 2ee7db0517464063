"""The signal table of a birth: what a device's numbers mean.

Batches carry small local ids; the table gives each its machine, name, unit and
kind. A table never changes: other contents are another table with another hash.
What a machine does not declare is not in those contents, so a table has the hash
it had before there was anything more to declare.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from wire.errors import MessageError, defect
from wire.topics import NAME

MAX_SIGNALS = 10_000
LONGEST_UNIT = 32


class SignalKind(StrEnum):
    SCALAR = "scalar"  # every value is one sample
    WAVEFORM = "waveform"  # values come in windows; features are made of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """A rolling bearing as its catalogue describes it: mm and degrees; None for what is no finite number.

    Whether there can be such a bearing is asked where its lines are looked for: a wrong
    one costs its machine the features, and the other machines of the table nothing.
    """

    balls: float | None
    ball_mm: float | None
    pitch_mm: float | None
    contact_deg: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    name: str  # unique in the fleet
    machine_class: str  # what a use case selects machines by, such as "motor-pump"
    feature_set: str = ""  # such as "vibration-trend/1"; empty: no features are made
    bearing: Bearing | None = None  # None: not declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    id: int  # local: its index in the table
    machine: int  # index of its machine in the table
    name: str
    unit: str  # UCUM, such as "Cel", "m/s2", "1/min"; "1" for a bare number
    kind: SignalKind = SignalKind.SCALAR
    rate_hz: float = 0.0  # 0: irregular


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTable:
    machines: tuple[Machine, ...]
    signals: tuple[Signal, ...]

    def __post_init__(self) -> None:
        names = [machine.name for machine in self.machines]
        for name in names:
            if not NAME.fullmatch(name):
                raise MessageError(f"expected a machine name like pump-7, got {name!r}")
        if len(set(names)) != len(names):
            raise MessageError("expected each machine name once in a signal table")
        if len(self.signals) > MAX_SIGNALS:
            raise MessageError(f"expected at most {MAX_SIGNALS} signals, got {len(self.signals)}")
        told: set[tuple[int, str]] = set()
        for index, signal in enumerate(self.signals):
            _check_signal(signal, index, len(self.machines))
            if (signal.machine, signal.name) in told:
                raise MessageError(
                    f"signal {index}: {signal.name!r} is there twice on {names[signal.machine]!r}"
                )
            told.add((signal.machine, signal.name))

    def to_fields(self) -> dict[str, Any]:
        """Plain values, each spelt in one way: 5 and 5.0 are one rate."""
        fields = asdict(self)
        for signal in fields["signals"]:
            signal["rate_hz"] = float(signal["rate_hz"])
        for machine in fields["machines"]:
            bearing = machine.pop("bearing")
            if bearing is not None:
                machine["bearing"] = {name: _number(value) for name, value in bearing.items()}
        return fields

    def to_json(self) -> bytes:
        """Canonical bytes: equal tables have equal bytes, and so one hash."""
        return json.dumps(self.to_fields(), sort_keys=True, separators=(",", ":")).encode()

    @property
    def hash(self) -> bytes:
        """SHA-256 of :meth:`to_json`, 32 bytes."""
        return hashlib.sha256(self.to_json()).digest()

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        try:
            return cls.from_fields(json.loads(payload))
        except ValueError as error:
            raise MessageError(f"not a signal table: {error}") from error

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        try:
            return cls(
                machines=tuple(_machine(row) for row in fields["machines"]),
                signals=tuple(_signal(row) for row in fields["signals"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise MessageError(f"not a signal table: {defect(error)}") from error

    def signals_of(self, machine: int, kind: SignalKind) -> tuple[Signal, ...]:
        """The signals of one machine and kind, in table order: the order features are made in."""
        return tuple(s for s in self.signals if s.machine == machine and s.kind is kind)


def _machine(row: Mapping[str, Any]) -> Machine:
    return Machine(
        name=str(row["name"]),
        machine_class=str(row["machine_class"]),
        feature_set=str(row.get("feature_set", "")),
        bearing=None if row.get("bearing") is None else _bearing(row["bearing"]),
    )


def _bearing(row: Mapping[str, Any]) -> Bearing:
    return Bearing(
        balls=_number(row["balls"]),
        ball_mm=_number(row["ball_mm"]),
        pitch_mm=_number(row["pitch_mm"]),
        contact_deg=_number(row.get("contact_deg", 0.0)),
    )


def _number(value: Any) -> float | None:
    """None for NaN and infinity, which JSON has no words for."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def _signal(row: Mapping[str, Any]) -> Signal:
    return Signal(
        id=int(row["id"]),
        machine=int(row["machine"]),
        name=str(row["name"]),
        unit=str(row["unit"]),
        kind=SignalKind(row.get("kind", SignalKind.SCALAR)),
        rate_hz=float(row.get("rate_hz", 0.0)),
    )


def _check_signal(signal: Signal, index: int, machines: int) -> None:
    if signal.id != index:
        raise MessageError(f"expected signal {index} to carry its own index, got {signal.id}")
    if not 0 <= signal.machine < machines:
        raise MessageError(f"signal {index}: expected a machine below {machines}, got {signal.machine}")
    if not NAME.fullmatch(signal.name.lower()):
        raise MessageError(f"signal {index}: expected a name like bearing_temperature, got {signal.name!r}")
    if not 0 < len(signal.unit) <= LONGEST_UNIT or not signal.unit.isascii():
        raise MessageError(f"signal {index}: expected a UCUM unit, got {signal.unit!r}")
    if not (math.isfinite(signal.rate_hz) and signal.rate_hz >= 0):
        raise MessageError(f"signal {index}: expected a rate of 0 Hz or more, got {signal.rate_hz}")
