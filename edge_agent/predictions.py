"""From one feature row to one prediction row: the running network, the old one beside it, the interval.

While a new release is on probation the old one answers the same question. The
new one's answer is sent; where it fails, the old one's is, under the old one's
name, so that the line is never blind.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.errors import FeatureMismatchError, InferenceError, NotFiniteError
from edge_agent.releases import Release, Releases
from kernels import interval
from wire.manifest import BOUNDS, Manifest, row_names

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """``row`` float32: the manifest's outputs, with lower and upper behind ``remaining_life``."""

    manifest: Manifest
    names: tuple[str, ...]
    row: Matrix

    def value(self, output: str) -> float:
        """One number of the row; NaN, which no alarm heeds, for an output it lacks."""
        return float(self.row[self.names.index(output)]) if output in self.names else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """``prediction`` is None where nobody could answer; ``error`` says why the running release could not."""

    prediction: Prediction | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layout:
    """What is asked of a manifest at every prediction, looked up once."""

    manifest: Manifest
    inputs: tuple[str, ...]
    names: tuple[str, ...]
    bounds_at: int | None  # where lower and upper go


class Predictor:
    """Asks the releases that run now; not thread-safe."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases
        self._layouts: dict[str, _Layout] = {}

    def running(self) -> Mapping[str, Release]:
        return self._releases.running()

    def predict(self, use_case: str, running: Release, features: Matrix, names: tuple[str, ...]) -> Answer:
        """Ask ``running`` about ``features`` float32 [width] called ``names``, and tell how it did."""
        asked = features[None, :]
        started = time.perf_counter()
        outputs, error = self._ask(running, asked, names)
        seconds = time.perf_counter() - started
        shadow = self._releases.shadow(use_case)
        old = None if shadow is None else self._ask(shadow, asked, names)[0]
        self._releases.observe(use_case, asked, outputs, old, seconds=seconds, error=error)
        if outputs is not None:
            return Answer(prediction=self._complete(running, outputs[0]))
        if shadow is not None and old is not None:
            return Answer(prediction=self._complete(shadow, old[0]), error=str(error))
        return Answer(prediction=None, error=str(error))

    def _ask(
        self, release: Release, features: Matrix, names: tuple[str, ...]
    ) -> tuple[Matrix | None, InferenceError | None]:
        """Finite outputs, or why there are none."""
        try:
            layout = self._layout(release)
            if layout.inputs != names:
                raise FeatureMismatchError(f"{release.release}: {_difference(layout.inputs, names)}")
            outputs = release.runner.run(features)
            wanted = len(layout.manifest.outputs)
            if outputs.shape[1] != wanted:
                raise InferenceError(f"{release.release}: expected {wanted} outputs, got {outputs.shape[1]}")
            if not all(map(math.isfinite, outputs[0].tolist())):
                raise NotFiniteError(f"{release.release}: expected finite outputs, got {outputs[0].tolist()}")
        except InferenceError as error:
            return None, error
        return outputs, None

    def _complete(self, release: Release, outputs: Matrix) -> Prediction:
        layout = self._layout(release)
        manifest, place = layout.manifest, layout.bounds_at
        if place is None or manifest.interval is None:
            return Prediction(manifest=manifest, names=layout.names, row=outputs)
        row = np.empty(len(outputs) + len(BOUNDS), np.float32)
        row[:place], row[place + len(BOUNDS) :] = outputs[:place], outputs[place:]
        row[place], row[place + 1] = interval.apply(manifest.interval, outputs[place - 1])
        return Prediction(manifest=manifest, names=layout.names, row=row)

    def _layout(self, release: Release) -> _Layout:
        layout = self._layouts.get(release.release)
        if layout is None or layout.manifest is not release.manifest:
            layout = self._layouts[release.release] = _layout(release.manifest)
        return layout


def _layout(manifest: Manifest) -> _Layout:
    names = row_names(manifest)
    return _Layout(
        manifest=manifest,
        inputs=tuple(item.name for item in manifest.inputs),
        names=names,
        bounds_at=names.index(BOUNDS[0]) if len(names) > len(manifest.outputs) else None,
    )


def _difference(inputs: tuple[str, ...], names: tuple[str, ...]) -> str:
    for item, name in zip(inputs, names, strict=False):
        if item != name:
            return f"expected feature {item!r}, this machine gives {name!r}"
    return f"expected {len(inputs)} features, this machine gives {len(names)}"
