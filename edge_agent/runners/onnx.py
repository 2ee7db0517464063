"""Networks run in ONNX Runtime: on one thread of the CPU that never spins, or through a GPU's provider.

A second thread that spins for work takes the core from the feed and costs
milliseconds at the 99.9th percentile; a small network gains nothing from it.
A provider that cannot be loaded is an error here: left alone, ONNX Runtime
would answer from the CPU under the provider's name.
"""

from typing import Any

import numpy as np
import onnxruntime

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.errors import UnavailableError, named, told
from edge_agent.runners.runner import INPUT, Matrix
from wire.network import check_network
from wire.precision import Precision

SILENT = 4  # only fatal errors on stderr; everything else is raised and told as a sentence
CPU, CUDA, TENSORRT = "onnxruntime-cpu", "onnxruntime-cuda", "onnxruntime-tensorrt"

_ON_CPU = "CPUExecutionProvider"
# Float32 means float32: the CUDA provider multiplies in TF32 unless told otherwise. It takes memory as it
# needs it, not in powers of two, and does not try every convolution out at the first row.
_ON_CUDA = (
    "CUDAExecutionProvider",
    {"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC"},
)
_PROVIDERS: dict[str, tuple[Any, ...]] = {
    CPU: (_ON_CPU,),
    CUDA: (_ON_CUDA, _ON_CPU),
    TENSORRT: ("TensorrtExecutionProvider", _ON_CUDA, _ON_CPU),
}


class OnnxRunner:
    """One network in float32: ``features`` float32 [n, width] in, its outputs side by side out."""

    precision = Precision.FP32

    def __init__(self, onnx: bytes, name: str = CPU) -> None:
        """Raises ``InferenceError`` for a network, or a provider, that cannot be run here."""
        self.name = name
        wanted = _provider(name)
        try:
            check_network(onnx)
            self._session = onnxruntime.InferenceSession(
                onnx, _options(), providers=list(_PROVIDERS[name]), enable_fallback=0
            )
        except Exception as error:  # its errors have no common base below Exception
            raise type(named(told(error)))(f"the network cannot be loaded: {told(error)}") from error
        used = self._session.get_providers()
        if wanted not in used:
            raise InferenceError(
                f"expected ONNX Runtime to use {wanted}, it uses {', '.join(used)}: the provider's libraries"
                " (CUDA, cuDNN, TensorRT) or the driver do not fit; `andon doctor` tells"
            )
        self.width = _width(self._session.get_inputs())
        self.outputs: tuple[str, ...] = tuple(item.name for item in self._session.get_outputs())

    def run(self, features: Matrix) -> Matrix:
        """[n, width] to [n, k], the graph's outputs in its own order."""
        if features.ndim != 2 or features.shape[1] != self.width:
            raise FeatureMismatchError(f"expected features of width {self.width}, got {features.shape}")
        try:
            parts = self._session.run(None, {INPUT: features})
        except Exception as error:  # its errors have no common base below Exception
            raise type(named(told(error)))(f"the network cannot be run: {told(error)}") from error
        if len(parts) == 1:
            return _matrix(parts[0], len(features))
        return np.concatenate([_matrix(part, len(features)) for part in parts], axis=1)

    def close(self) -> None:
        """The session goes with its last reference: a row may be on its way through it."""


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # as ``models.graphs`` has it: INT8 means the same on every CPU
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


def _provider(name: str) -> str:
    """What must run the network for it to be ``name``; UnavailableError where this build lacks it."""
    first = _PROVIDERS[name][0]
    wanted = first if isinstance(first, str) else str(first[0])
    offered = onnxruntime.get_available_providers()
    if wanted not in offered:
        raise UnavailableError(
            f"expected an ONNX Runtime with {wanted}, got one with {', '.join(offered)}:"
            " pip install onnxruntime-gpu (on a Jetson: NVIDIA's wheel for its JetPack)"
        )
    return wanted


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
