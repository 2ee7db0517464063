"""From one feature row to one prediction row: the running network, the old one beside it, the interval.

While a new release is on probation the old one answers the same question. The
new one's answer is sent; where it fails, the old one's is, under the old one's
name, so that the line is never blind.
"""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.errors import FeatureMismatchError, InferenceError, NotFiniteError
from edge_agent.releases import Release, Releases
from kernels import interval
from wire.manifest import Manifest

INTERVAL_OF = "remaining_life"
BOUNDS = ("lower", "upper")

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


def row_names(manifest: Manifest) -> tuple[str, ...]:
    """What the numbers of a prediction row are."""
    names = [output.name for output in manifest.outputs]
    if manifest.interval is not None and INTERVAL_OF in names:
        place = names.index(INTERVAL_OF) + 1
        names[place:place] = BOUNDS
    return tuple(names)


def predict(
    releases: Releases, use_case: str, running: Release, features: Matrix, names: tuple[str, ...]
) -> Answer:
    """Ask ``running`` about ``features`` float32 [width] called ``names``, and tell how it did."""
    asked = features[None, :]
    started = time.perf_counter()
    outputs, error = _ask(running, asked, names)
    seconds = time.perf_counter() - started
    shadow = releases.shadow(use_case)
    old = None if shadow is None else _ask(shadow, asked, names)[0]
    releases.observe(use_case, asked, outputs, old, seconds=seconds, error=error)
    if outputs is not None:
        return Answer(prediction=_complete(running.manifest, outputs[0]))
    if shadow is not None and old is not None:
        return Answer(prediction=_complete(shadow.manifest, old[0]), error=str(error))
    return Answer(prediction=None, error=str(error))


def _ask(
    release: Release, features: Matrix, names: tuple[str, ...]
) -> tuple[Matrix | None, InferenceError | None]:
    """Finite outputs, or why there are none."""
    try:
        _check_names(release.manifest, names)
        outputs = release.runner.run(features)
        if outputs.shape[1] != len(release.manifest.outputs):
            raise InferenceError(
                f"{release.release}: expected {len(release.manifest.outputs)} outputs, got {outputs.shape[1]}"
            )
        if not np.isfinite(outputs).all():
            raise NotFiniteError(f"{release.release}: expected finite outputs, got {outputs[0].tolist()}")
    except InferenceError as error:
        return None, error
    return outputs, None


def _check_names(manifest: Manifest, names: tuple[str, ...]) -> None:
    inputs = manifest.inputs
    if len(inputs) != len(names):
        raise FeatureMismatchError(
            f"{manifest.release}: expected {len(inputs)} features, this machine gives {len(names)}"
        )
    for item, name in zip(inputs, names, strict=True):
        if item.name != name:
            raise FeatureMismatchError(
                f"{manifest.release}: expected feature {item.name!r}, this machine gives {name!r}"
            )


def _complete(manifest: Manifest, outputs: Matrix) -> Prediction:
    names = row_names(manifest)
    if manifest.interval is None or len(names) == len(outputs):
        return Prediction(manifest=manifest, names=names, row=outputs)
    place = names.index(INTERVAL_OF)
    low, high = interval.apply(manifest.interval, outputs[place])
    bounds = np.array([low, high], np.float32)
    return Prediction(manifest=manifest, names=names, row=np.insert(outputs, place + 1, bounds))
