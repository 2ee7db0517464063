"""The protocol of everything that runs a network on a device."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from wire.precision import Precision

INPUT = "features"

Matrix = npt.NDArray[np.float32]


class Runner(Protocol):
    """One network, loaded; used by one thread at a time, which need not be the one that made it."""

    @property
    def name(self) -> str:
        """The execution: ``tensorrt``, ``tensorrt-rtx``, ``onnxruntime-cuda``, ``onnxruntime-cpu`` ..."""

    @property
    def precision(self) -> Precision: ...

    def run(self, features: Matrix) -> Matrix:
        """[n, width] to [n, k], the graph's outputs side by side; InferenceError says why there is none."""

    def close(self) -> None:
        """Give back what it holds; it is not asked again. More than once does no harm."""
