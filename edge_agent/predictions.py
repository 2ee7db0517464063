"""From one feature row to one prediction row: the running network, the old one beside it, the interval.

While a new release is on probation the old one answers the same question. The
new one's answer is sent; where it fails, the old one's is, under the old one's
name, so that the line is never blind. Each is asked what the line's memory means to it
(``InputsOf``); a machine run as neither has learnt it gets no answer, and that is nobody's error.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.errors import FeatureMismatchError, InferenceError, NotFiniteError
from edge_agent.model_inputs import Inputs, InputsOf, UnknownConditionError
from edge_agent.releases import Release, Releases
from kernels import interval
from wire.manifest import BOUNDS, Manifest, row_names

Matrix = npt.NDArray[np.float32]

NOTHING: Matrix = np.empty((1, 0), np.float32)  # asked of a release that these inputs do not fit


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
    unknown_condition: bool = False  # nobody knows how the machine is run


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

    def predict(self, use_case: str, running: Release, inputs_of: InputsOf) -> Answer:
        """Ask ``running`` about what the line's memory is to it, and tell how it did."""
        started = time.perf_counter()
        asked, outputs, error = self._ask(running, inputs_of)
        seconds = time.perf_counter() - started
        shadow = self._releases.shadow(use_case)
        old, unknown = None, isinstance(error, UnknownConditionError)
        if shadow is not None:
            _, old, refusal = self._ask(shadow, inputs_of)
            unknown = unknown and isinstance(refusal, UnknownConditionError)
        if unknown:
            return Answer(prediction=None, unknown_condition=True)
        self._releases.observe(use_case, asked, outputs, old, seconds=seconds, error=error)
        if outputs is not None:
            return Answer(prediction=self._complete(running, outputs[0]))
        if shadow is not None and old is not None:
            return Answer(prediction=self._complete(shadow, old[0]), error=str(error))
        return Answer(prediction=None, error=str(error))

    def _ask(
        self, release: Release, inputs_of: InputsOf
    ) -> tuple[Matrix, Matrix | None, InferenceError | None]:
        """What was asked [1, width], and finite outputs, or why there are none."""
        asked = NOTHING
        try:
            asked = self._matching(release, inputs_of(release.manifest))
            outputs = release.runner.run(asked)
            wanted = len(release.manifest.outputs)
            if outputs.shape[1] != wanted:
                raise InferenceError(f"{release.release}: expected {wanted} outputs, got {outputs.shape[1]}")
            if not all(map(math.isfinite, outputs[0].tolist())):
                raise NotFiniteError(f"{release.release}: expected finite outputs, got {outputs[0].tolist()}")
        except InferenceError as error:
            return asked, None, error
        return asked, outputs, None

    def _matching(self, release: Release, inputs: Inputs) -> Matrix:
        layout = self._layout(release)
        if layout.inputs != inputs.names:
            raise FeatureMismatchError(f"{release.release}: {_difference(layout.inputs, inputs.names)}")
        if not np.isfinite(inputs.row).all():  # a quantised network would answer it with a likely number
            name = inputs.names[int(np.argmin(np.isfinite(inputs.row)))]
            raise NotFiniteError(f"{release.release}: expected finite features, got {name} that is none")
        return inputs.row[None, :]

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
