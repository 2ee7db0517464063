"""What a device declared of a machine, and how that differs from what is wanted, or was declared before.

Names and units say what a feature is called. What its numbers mean is said by the
rates of its windows, too, and by the bearing whose lines are looked for in them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from kernels import sets
from kernels.bearing import Bearing, as_declared
from kernels.errors import KernelInputError
from wire.manifest import same_rate
from wire.table import Machine, Signal, SignalKind, SignalTable

Signature = tuple[tuple[str, str, str], ...]  # (name, unit, kind) in the order of the table
Kinds = Mapping[str, tuple[str, str]]  # (unit, kind) by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One machine under one of its signal tables."""

    machine: Machine
    scalars: tuple[Signal, ...]
    waveforms: tuple[Signal, ...]
    seen: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """As the store keeps it: ``body`` of the table, ``place`` in it, when it was ``seen`` first."""
        table = SignalTable.from_fields(row["body"])
        return cls(
            machine=table.machines[row["place"]],
            scalars=table.signals_of(row["place"], SignalKind.SCALAR),
            waveforms=table.signals_of(row["place"], SignalKind.WAVEFORM),
            seen=row["seen"],
        )

    @property
    def signature(self) -> Signature:
        return tuple((signal.name, signal.unit, str(signal.kind)) for signal in self.scalars + self.waveforms)

    @property
    def rates(self) -> dict[str, float]:
        """Hz by waveform, of those that features are made of."""
        used = sets.feature_set(self.machine.feature_set).of_windows
        return {signal.name: signal.rate_hz for signal in self.waveforms} if used else {}

    @property
    def bearing(self) -> Bearing | None:
        """Whose lines its device looks for; None: it looks for none."""
        return sets.bearing_of(self.machine.feature_set, self.scalars, self.machine.bearing)

    @property
    def refusal(self) -> str:
        """Why its device makes no features of it; empty: it does."""
        try:
            as_declared(self.machine.bearing)
        except KernelInputError as error:
            return str(error)
        silent = (name for name, rate_hz in self.rates.items() if not rate_hz)
        return next((f"{name}: expected a sampling rate above 0 Hz, got none" for name in silent), "")

    def features(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names and units of the features its device makes."""
        machine = self.machine
        made = sets.of_signals(machine.feature_set, self.scalars, self.waveforms, bearing=machine.bearing)
        return tuple(made.names), tuple(made.units)


def kinds(declared: Declaration) -> dict[str, tuple[str, str]]:
    return {name: (unit, kind) for name, unit, kind in declared.signature}


def differences(expected: Kinds, found: Kinds) -> str:
    """In words: what is missing, what is too much, and which units or kinds differ."""
    told = []
    if missing := sorted(expected.keys() - found.keys()):
        told.append(f"without {_some(missing)}")
    if extra := sorted(found.keys() - expected.keys()):
        told.append(f"with {_some(extra)} besides")
    for name in sorted(expected.keys() & found.keys()):
        (unit, kind), (other_unit, other_kind) = expected[name], found[name]
        if unit != other_unit:
            told.append(f"{name} in {other_unit} instead of {unit}")
        if kind != other_kind:
            told.append(f"{name} a {other_kind} instead of a {kind}")
    return ", ".join(told)


def remeasured(before: Declaration, after: Declaration) -> str:
    """In words: what makes numbers of the same names mean others in one of the two; empty: nothing."""
    return ", ".join(_remeasured(before, after))


def _remeasured(before: Declaration, after: Declaration) -> Iterable[str]:
    for name, rate_hz in after.rates.items():
        earlier = before.rates[name]
        if not same_rate(earlier, rate_hz):
            yield f"{name} at {rate_hz:g} Hz instead of {earlier:g} Hz"
    old, new = before.bearing, after.bearing
    if old is not None and new is not None and old != new:
        yield f"a bearing with {_bearing(new)} instead of {_bearing(old)}"


def _bearing(bearing: Bearing) -> str:
    told = f"{bearing.balls} balls of {bearing.ball_mm:g} mm on {bearing.pitch_mm:g} mm"
    return f"{told} at {bearing.contact_deg:g} degrees" if bearing.contact_deg else told


def _some(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
