"""The precisions a network may be run in, and how far each may be from the oracle: stated here, once.

The oracle is ONNX Runtime on a CPU in float32. Whoever runs a network otherwise (a device,
a builder host, a hub that weighs a variant) holds it against this and nothing else.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from wire.manifest import Manifest


class Precision(StrEnum):
    FP32 = "fp32"  # with TF32 switched off
    TF32 = "tf32"  # float32 in and out, products of 10 bits of mantissa
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"  # weights and activations quantised, calibrated on the dataset


# Networks that are made from the float32 one and travel beside it; the others run that one itself.
VARIANTS = (Precision.FP16, Precision.BF16, Precision.INT8)

# What an execution may be off by, beyond what the manifest allows any: share of an output's range.
SHARES = {
    Precision.FP32: 0.0,
    Precision.TF32: 0.001,
    Precision.FP16: 0.005,
    Precision.BF16: 0.02,
    Precision.INT8: 0.03,
}


def tolerated(
    manifest: Manifest, expected: npt.NDArray[np.float32], precision: Precision
) -> npt.NDArray[np.float64]:
    """[n, outputs]: how far from ``expected``, the oracle's outputs, a run in ``precision`` may lie."""
    ranges = np.array([output.high - output.low for output in manifest.outputs], np.float64)
    shared = manifest.atol + manifest.rtol * np.abs(expected.astype(np.float64))
    return np.asarray(shared + SHARES[precision] * ranges, np.float64)


def shares(
    manifest: Manifest,
    expected: npt.NDArray[np.float32],
    found: npt.NDArray[np.float32],
    precision: Precision,
) -> npt.NDArray[np.float64]:
    """[n, outputs]: share of what is tolerated that ``found`` is off by; no number is infinitely far off."""
    allowed = tolerated(manifest, expected, precision)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(found.astype(np.float64) - expected.astype(np.float64))
        return np.asarray(np.where(off > 0, off / allowed, np.where(off == 0, 0.0, np.inf)), np.float64)
