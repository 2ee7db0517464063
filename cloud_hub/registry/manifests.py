"""The manifest of a model: what a device has to know to run it, drawn up once when it is registered."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from kernels import conditions
from kernels.interval import Interval
from models.interface import ANOMALY, OPSET, REMAINING_LIFE
from models.use_case import UseCase
from wire.manifest import AlarmRule, ConditionTable, Input, IntervalTable, Manifest, Output, Waveform


def draw_up(
    use_case: UseCase,
    *,
    names: Sequence[str],
    units: Sequence[str],
    interval: Interval | None,
    alarms: Sequence[AlarmRule],
    highest_anomaly: float,
    lineage: Mapping[str, str],
    waveforms: Sequence[Waveform] = (),
    table: conditions.ConditionTable | None = None,
) -> Manifest:
    """A manifest without a version: the registry numbers it.

    ``names`` and ``units`` are of what the network takes, derived under ``table`` where there is one;
    ``waveforms`` what the features it learnt from were made of.
    """
    return Manifest(
        use_case=use_case.name,
        version=0,
        release="",
        machine_class=use_case.machine_class,
        feature_set=use_case.feature_set,
        inputs=tuple(Input(name=name, unit=unit) for name, unit in zip(names, units, strict=True)),
        waveforms=tuple(waveforms),
        outputs=tuple(_output(name, use_case, highest_anomaly) for name in use_case.outputs),
        rtol=use_case.gate.rtol,
        atol=use_case.gate.atol,
        interval=IntervalTable(**asdict(interval)) if interval else None,
        conditions=ConditionTable(**asdict(table)) if table else None,
        alarms=tuple(alarms),
        opset=OPSET,
        lineage=lineage,
    )


def conditions_of(manifest: Manifest) -> conditions.ConditionTable | None:
    """The operating conditions that a release reads its features under, as kernels take them."""
    return conditions.ConditionTable(**asdict(manifest.conditions)) if manifest.conditions else None


def _output(name: str, use_case: UseCase, highest_anomaly: float) -> Output:
    if name == REMAINING_LIFE:
        return Output(name=name, unit=use_case.life.unit, low=0.0, high=use_case.life.cap)
    return Output(name=name, unit="1", low=0.0, high=highest_anomaly if name == ANOMALY else 1.0)


def numbered(manifest: Manifest, version: int) -> Manifest:
    return replace(manifest, version=version, release=release_of(manifest.use_case, version))


def release_of(use_case: str, version: int) -> str:
    return f"{use_case}/{version}"
