"""How far an execution of a network is from the oracle, output by output. Pure.

The oracle is ONNX Runtime on a CPU in float32; what each precision may be off by stands in
``wire.precision`` and nowhere else. What is no number is infinitely far off.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wire.manifest import Manifest
from wire.precision import Precision, shares, tolerated

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Where one output is farthest off, by what is tolerated there."""

    output: str
    unit: str  # UCUM
    row: int  # of the golden inputs
    expected: float
    found: float
    allowed: float  # of a difference
    share: float  # of it that is used up; more than 1 is too far


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    precision: Precision
    rows: int
    distances: tuple[Distance, ...]  # one an output

    @property
    def farthest(self) -> Distance:
        return max(self.distances, key=lambda each: each.share)

    @property
    def agrees(self) -> bool:
        return self.farthest.share <= 1.0

    def told(self) -> str:
        """The worst of it, in a sentence."""
        far = self.farthest
        place = f"on golden input {far.row} of {self.rows}"
        if not math.isfinite(far.found):
            told = f"{far.output} is {far.found}, which is no number, where {far.expected:.6g} is expected"
        elif not math.isfinite(far.share):
            told = f"{far.output} is {far.found:.6g} where exactly {far.expected:.6g} is expected"
        else:
            told = (
                f"{far.share:.0%} of what may differ: {far.output} is {far.found:.6g} where"
                f" {far.expected:.6g} is expected within {far.allowed:.3g}"
            )
        return f"{told}, {place}"


def compare(manifest: Manifest, expected: Floats, found: Floats, precision: Precision) -> Comparison:
    """``found`` [n, outputs], answered in ``precision``, against the oracle's ``expected``."""
    allowed = tolerated(manifest, expected, precision)
    share = shares(manifest, expected, found, precision)
    worst = share.argmax(axis=0)
    return Comparison(
        precision=precision,
        rows=len(expected),
        distances=tuple(
            Distance(
                output=output.name,
                unit=output.unit,
                row=int(row),
                expected=float(expected[row, place]),
                found=float(found[row, place]),
                allowed=float(allowed[row, place]),
                share=float(share[row, place]),
            )
            for place, (output, row) in enumerate(zip(manifest.outputs, worst, strict=True))
        ),
    )
