"""Whether a bundle fits its directive and this device, and answers here as it did where it was made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge_agent.runners.runner import Runner
from edge_agent.updates.errors import GoldenError, UnfitError
from kernels import sets
from kernels.condition_trend import of_rows
from kernels.errors import KernelInputError
from wire.bundle import Bundle
from wire.directive import Directive
from wire.manifest import ANY_TARGET, Manifest, rate_misfit
from wire.precision import Precision, shares, tolerated

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What this agent extracts for one class of machine."""

    feature_set: str
    names: tuple[str, ...]
    units: tuple[str, ...]  # UCUM, aligned with ``names``
    rates: Mapping[str, float] = field(default_factory=dict)  # Hz, by waveform


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What decides whether a bundle is for this device."""

    target: str  # the profile's compile target
    features: Callable[[str], Features | None]  # of a machine class; None: no such machine here


def check_fit(bundle: Bundle, directive: Directive, device: DeviceFacts) -> None:
    """Raise ``UnfitError`` with what was expected and what came, before any slot is touched."""
    manifest = bundle.manifest
    _same("use case", directive.use_case, manifest.use_case)
    _same("release", directive.release, manifest.release)
    if not {device.target, ANY_TARGET} & {*manifest.targets}:
        raise UnfitError(f"expected a bundle for {device.target}, got one for {', '.join(manifest.targets)}")
    features = device.features(manifest.machine_class)
    if features is None:
        raise UnfitError(f"this device has no machine of class {manifest.machine_class!r}")
    _same("feature set", features.feature_set, manifest.feature_set)
    made, units = _inputs(features, manifest)
    names = tuple(taken.name for taken in manifest.inputs)
    if names != made:
        raise UnfitError(_difference(made, names))
    for taken, unit in zip(manifest.inputs, units, strict=True):
        if taken.unit != unit:
            raise UnfitError(
                f"{taken.name}: this device makes it in {unit!r}, the bundle takes it in {taken.unit!r}"
            )
    if misfit := rate_misfit(manifest.waveforms, features.rates):
        raise UnfitError(f"the bundle learnt at another rate: {misfit}")


def _inputs(features: Features, manifest: Manifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units of what this device gives the network: its features, or what their memory says."""
    if not sets.feature_set(features.feature_set).under_conditions:
        return features.names, features.units
    if manifest.conditions is None:
        raise UnfitError(f"expected a table of operating conditions for {features.feature_set}, got none")
    try:
        under = of_rows(features.names, features.units, manifest.conditions)
    except KernelInputError as error:
        raise UnfitError(str(error)) from error
    return under.names, under.units


def check_golden(runner: Runner, bundle: Bundle) -> float:
    """Run the golden inputs; the largest deviation as a share of what is tolerated, at most 1.

    What is tolerated is that of the runner's precision. Raises ``GoldenError``, and what the runner raises.
    """
    manifest = bundle.manifest
    expected = bundle.golden_outputs
    if expected.shape[1] != len(manifest.outputs):
        raise UnfitError(f"expected {len(manifest.outputs)} golden outputs a row, got {expected.shape[1]}")
    got = runner.run(bundle.golden_inputs)
    if got.shape != expected.shape:
        raise GoldenError(f"expected golden outputs of shape {expected.shape}, got {got.shape}")
    return _deviation(got, expected, manifest, runner.precision)


def _deviation(got: Matrix, expected: Matrix, manifest: Manifest, precision: Precision) -> float:
    share = shares(manifest, expected, got, precision)
    row, column = np.unravel_index(int(np.argmax(share)), share.shape)
    worst = float(share[row, column])
    if worst > 1:
        near = tolerated(manifest, expected, precision)
        raise GoldenError(
            f"golden input {row}: expected {manifest.outputs[column].name} "
            f"{expected[row, column]:.6g} within {near[row, column]:.2g} in {precision}, "
            f"got {got[row, column]:.6g}"
        )
    return worst


def _same(what: str, expected: str, got: str) -> None:
    if expected != got:
        raise UnfitError(f"expected a bundle of {what} {expected!r}, got {got!r}")


def _difference(expected: tuple[str, ...], got: tuple[str, ...]) -> str:
    for index, (ours, theirs) in enumerate(zip(expected, got, strict=False)):
        if ours != theirs:
            return f"input {index}: this device makes {ours!r}, the bundle takes {theirs!r}"
    return f"this device makes {len(expected)} features, the bundle takes {len(got)}"
