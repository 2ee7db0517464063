"""How far two models are apart that answered the same questions.

Remaining life is compared where both tell it, else every output that both have. Of one
output it is the median of ``|new - old| / max(median |old|, median |new|, 2 % of the output's
range)``: 0 the same, 0.5 a factor of two, 1 one of them says nothing; of several the largest.
Of class probabilities, which add up to one, it is the share of answers in which another
class is the likeliest.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from wire.manifest import Manifest

SMALLEST_SCALE = 0.02  # of the output's range: below it a difference means nothing
PREFERRED = "remaining_life"
EXACTNESS = 1e-3  # with which probabilities add up to one

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Which columns of the answers of two models are held against each other."""

    names: tuple[str, ...]
    new: tuple[int, ...]  # columns of the new model's answers
    old: tuple[int, ...]
    ranges: tuple[float, ...]  # of the new model's outputs

    @classmethod
    def of(cls, new: Manifest, old: Manifest) -> Self:
        """Outputs of the same name and unit; there may be none."""
        places = {(output.name, output.unit): place for place, output in enumerate(old.outputs)}
        found = [
            (output, place, places[output.name, output.unit])
            for place, output in enumerate(new.outputs)
            if (output.name, output.unit) in places
        ]
        found = [item for item in found if item[0].name == PREFERRED] or found
        return cls(
            names=tuple(output.name for output, _, _ in found),
            new=tuple(place for _, place, _ in found),
            old=tuple(place for _, _, place in found),
            ranges=tuple(output.high - output.low for output, _, _ in found),
        )

    def measure(self, new: Floats, old: Floats) -> float | None:
        """Of answers [n, k], the columns that are compared; None where there is nothing to compare."""
        if not self.names or not len(new):
            return None
        finite = np.isfinite(new).all(axis=1) & np.isfinite(old).all(axis=1)
        if not finite.any():
            return 1.0
        if len(self.names) > 1 and _adds_up(new[finite]) and _adds_up(old[finite]):
            return float(np.mean(~finite | (np.argmax(new, axis=1) != np.argmax(old, axis=1))))
        return max(apart(new[:, k], old[:, k], self.ranges[k]) for k in range(len(self.names)))


def apart(new: Floats, old: Floats, value_range: float) -> float:
    """Of one output; arrays [n] of equal length, non-finite pairs count as far apart."""
    finite = np.isfinite(new) & np.isfinite(old)
    if not finite.any():
        return 1.0
    scale = max(
        float(np.median(np.abs(old[finite]))),
        float(np.median(np.abs(new[finite]))),
        SMALLEST_SCALE * value_range,
        float(np.finfo(np.float32).tiny),
    )
    differences = np.where(finite, np.abs(np.where(finite, new - old, 0.0)), np.inf)
    return float(min(np.median(differences) / scale, 2.0))


def _adds_up(rows: Floats) -> bool:
    return bool(np.all(np.abs(rows.sum(axis=1) - 1) < EXACTNESS))
