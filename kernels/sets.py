"""The versioned feature sets by name: the one place where a name becomes an extractor.

A model names the set it was trained on, and a set never changes its meaning:
another meaning is another number behind the slash.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from kernels import defects, machine_code, vibration
from kernels.bearing import BEARING_6205, Bearing, Declared, as_declared
from kernels.condition_trend import make_condition_trend
from kernels.conditions import ConditionTable, assign
from kernels.defects import make_defects
from kernels.deviation import make_deviation
from kernels.errors import KernelInputError, UnknownFeatureSetError
from kernels.extractor import Extractor, State
from kernels.trend import make_trend
from kernels.vibration import make_vibration
from kernels.vibration_trend import make_vibration_trend
from kernels.vibration_trend_2 import make_vibration_trend_2

__all__ = [
    "VERSIONS",
    "Extractor",
    "FeatureSet",
    "State",
    "bearing_of",
    "feature_set",
    "make",
    "of_signals",
    "warm",
]


class Signal(Protocol):
    """What a signal table says of one."""

    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def rate_hz(self) -> float: ...


class Factory(Protocol):
    def __call__(
        self,
        *,
        scalars: Sequence[str],
        waveforms: Sequence[tuple[str, float, int]],
        units: Mapping[str, str],
        bearing: Bearing,
    ) -> Extractor: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    name: str
    factory: Factory
    modules: tuple[str, ...]  # whose text decides what the features are
    under_conditions: bool = False  # its rows are readings: what a model takes is derived under a table
    by_opening: bool = False  # it measures a machine by how its memory began, which no repair begins anew
    of_windows: bool = False  # rates decide what its numbers mean; with a speed, the bearing's geometry too
    warm: Callable[[], None] = vibration.warm  # compiles what it needs; raises TwinError


def _trend(*, scalars, waveforms, units, bearing):
    return make_trend(scalars=scalars, units=units)


def _condition_trend(*, scalars, waveforms, units, bearing):
    return make_condition_trend(scalars=scalars, units=units)


def _deviation(*, scalars, waveforms, units, bearing):
    return make_deviation(scalars=scalars)


def _warm_trend():
    trend = make_trend(scalars=["warm"], units={})
    trend.batch([0], [[0.0]])
    trend.update(trend.initial(), 0, [0.0])


def _warm_deviation():
    deviation = make_deviation(scalars=["warm"])
    deviation.batch([0], [[0.0]])
    deviation.update(deviation.initial(), 0, [0.0])


def _warm_conditions():
    one = ((0.0,),)
    table = ConditionTable(
        signals=("warm",), scale=(1.0,), centres=one, radius=(1.0,), scalars=("warm",), mean=one, spread=one
    )
    made = make_condition_trend(scalars=["warm"], units={})
    state = made.initial()
    rows = made.update(state, 0, [0.0])
    under = made.under(table)
    under.derive(state)
    under.derive_batch(rows)
    assign(table, [0.0])


_CONDITION = ("compiled", "extractor", "conditions", "condition_memory", "condition_trend")
_WINDOW = ("compiled", "extractor", "bearing", "layout", "rows", "scratch", "cpu", "vibration")
_SETS = {
    known.name: known
    for known in (
        FeatureSet(
            name="condition-trend/1",
            factory=_condition_trend,
            modules=_CONDITION,
            under_conditions=True,
            warm=_warm_conditions,
        ),
        FeatureSet(
            name="deviation/1",
            factory=_deviation,
            modules=("compiled", "extractor", "deviation"),
            by_opening=True,
            warm=_warm_deviation,
        ),
        FeatureSet(
            name="trend/1", factory=_trend, modules=("compiled", "extractor", "trend"), warm=_warm_trend
        ),
        FeatureSet(name="vibration/1", factory=make_vibration, modules=_WINDOW, of_windows=True),
        FeatureSet(
            name="bearing/1",
            factory=make_defects,
            modules=(*_WINDOW, "defect_layout", "defect_cpu", "defects"),
            of_windows=True,
            warm=defects.warm,
        ),
        FeatureSet(
            name="vibration-trend/1",
            factory=make_vibration_trend,
            modules=(*_WINDOW, "vibration_trend"),
            of_windows=True,
        ),
        FeatureSet(
            name="vibration-trend/2",
            factory=make_vibration_trend_2,
            modules=(*_WINDOW, "vibration_trend", "vibration_trend_2"),
            of_windows=True,
        ),
    )
}


def feature_set(name: str) -> FeatureSet:
    """Raises UnknownFeatureSetError with the names there are."""
    try:
        return _SETS[name]
    except KeyError:
        raise UnknownFeatureSetError(name, tuple(sorted(_SETS))) from None


def make(
    name: str,
    *,
    scalars: Sequence[str],
    waveforms: Sequence[tuple[str, float, int]] = (),
    units: Mapping[str, str] | None = None,
    bearing: Bearing = BEARING_6205,
) -> Extractor:
    """An extractor of feature set ``name`` for machines with these signals.

    ``scalars``: names, in the order ``update`` gets their values. ``waveforms``: (name, rate in Hz,
    samples a window; 0 = any length). ``units``: UCUM by signal name, "1" where missing; without the
    unit of ``speed`` there are no order and envelope lines. ``bearing``: geometry of the rolling bearing.
    """
    known = feature_set(name)
    signals = [*scalars, *(waveform[0] for waveform in waveforms)]
    if len(set(signals)) != len(signals):
        raise KernelInputError("signals", signals, "each name once")
    return known.factory(scalars=scalars, waveforms=waveforms, units=dict(units or {}), bearing=bearing)


def of_signals(
    name: str,
    scalars: Sequence[Signal],
    waveforms: Sequence[Signal] = (),
    *,
    bearing: Declared | None = None,
) -> Extractor:
    """``make`` for a machine with these signals, as device and hub read them from its signal table.

    Raises KernelInputError for a ``bearing`` that there cannot be, whatever the set does with it.
    """
    return make(
        name,
        scalars=[signal.name for signal in scalars],
        waveforms=[(signal.name, signal.rate_hz, 0) for signal in waveforms],
        units={signal.name: signal.unit for signal in (*scalars, *waveforms)},
        bearing=as_declared(bearing),
    )


def bearing_of(name: str, scalars: Sequence[Signal], declared: Declared | None) -> Bearing | None:
    """Whose lines ``of_signals`` looks for; None: it looks for no lines of a bearing."""
    told = any(signal.name == vibration.SPEED and signal.unit in vibration.PER_SECOND for signal in scalars)
    return as_declared(declared) if told and feature_set(name).of_windows else None


def warm(*names: str) -> None:
    """Compile what the sets ``names`` need, or all: seconds once on a machine, then from the cache.

    Whoever uses one set does not wait for the others. Raises TwinError where machine code disagrees
    with its reference, UnknownFeatureSetError for a name there is not.
    """
    for prepare in {feature_set(name).warm: None for name in names or _SETS}:
        _warm_once(prepare)


@cache
def _warm_once(prepare):
    prepare()
    machine_code.seal()


def _version(known: FeatureSet) -> str:
    digest = hashlib.sha256()
    for module in known.modules:
        digest.update((Path(__file__).parent / f"{module}.py").read_text("utf-8").encode())
    return digest.hexdigest()


# SHA-256 of the source text behind each set: two installations with the same value compute the same features.
VERSIONS: Mapping[str, str] = MappingProxyType({name: _version(known) for name, known in _SETS.items()})
