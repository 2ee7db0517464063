"""Networks run here: ONNX Runtime on one thread that never spins.

A second thread that spins for work takes the core from the feed and costs
milliseconds at the 99.9th percentile; a small network gains nothing from it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from edge_agent.errors import FeatureMismatchError, InferenceError
from wire.network import check_network

INPUT = "features"
SILENT = 4  # only fatal errors on stderr; everything else is raised and told as a sentence

Matrix = npt.NDArray[np.float32]


class OnnxRunner:
    """One network: ``features`` float32 [n, width] in, its outputs side by side out."""

    def __init__(self, onnx: bytes) -> None:
        """Raises ``InferenceError`` for a network that ONNX Runtime or this agent cannot run."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = SILENT
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            check_network(onnx)
            self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common base below Exception
            raise InferenceError(f"the network cannot be loaded: {_first_line(error)}") from error
        self.width = _width(self._session.get_inputs())
        self.outputs: tuple[str, ...] = tuple(item.name for item in self._session.get_outputs())

    def run(self, features: Matrix) -> Matrix:
        """[n, width] to [n, k], the graph's outputs in its own order."""
        if features.ndim != 2 or features.shape[1] != self.width:
            raise FeatureMismatchError(f"expected features of width {self.width}, got {features.shape}")
        try:
            parts = self._session.run(None, {INPUT: features})
        except Exception as error:  # its errors have no common base below Exception
            raise InferenceError(f"the network cannot be run: {_first_line(error)}") from error
        if len(parts) == 1:
            return _matrix(parts[0], len(features))
        return np.concatenate([_matrix(part, len(features)) for part in parts], axis=1)


def _matrix(part: Any, rows: int) -> Matrix:
    matrix: Matrix = np.asarray(part, np.float32).reshape(rows, -1)
    return matrix


def _width(inputs: list[Any]) -> int:
    if [item.name for item in inputs] != [INPUT]:
        raise InferenceError(f"expected one input {INPUT!r}, got {[item.name for item in inputs]}")
    shape, kind = inputs[0].shape, inputs[0].type
    if len(shape) != 2 or not isinstance(shape[1], int) or kind != "tensor(float)":
        raise InferenceError(f"expected float features [n, width], got {kind} {shape}")
    return shape[1]


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
