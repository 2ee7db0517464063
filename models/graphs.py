"""ONNX graphs as devices may be given them: what they must look like, and running one on a CPU.

A network made elsewhere passes the same door as one trained here: plain ai.onnx
operators, nothing loaded from other files, the agreed names and shapes, and work that
is known to end before anything is run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from models import graph_bounds
from models.errors import GraphError
from models.interface import FEATURES, OPSET

PLAIN = ("", "ai.onnx")
LARGEST = 64 << 20

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a checked graph is made of."""

    opset: int
    operators: tuple[str, ...]
    bytes: int


class Runner:
    """One graph on one CPU thread, as a device without a GPU runs it.

    ``outputs`` names those to compute; without, all that the graph has, in its order.
    """

    def __init__(self, payload: bytes, outputs: Sequence[str] | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # INT8 as it is meant, and no slower: fused, sums saturate in 16 bits on CPUs with AVX2 and no VNNI
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        try:
            self._session = onnxruntime.InferenceSession(payload, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a class of its own for each of its codes
            raise GraphError(f"ONNX Runtime cannot load the graph: {_first_line(error)}") from error
        self.outputs = tuple(outputs or (value.name for value in self._session.get_outputs()))

    def run(self, features: Floats) -> Floats:
        """float32 [n, width] -> float32 [n, outputs], whatever the answers are worth.

        Rows go in by as many as graphs are judged by: what one takes for them is known.
        """
        value = np.ascontiguousarray(features, np.float32)
        starts = range(0, max(len(value), 1), graph_bounds.MANY)
        return np.concatenate([self._run(value[start : start + graph_bounds.MANY]) for start in starts])

    def _run(self, features: Floats) -> Floats:
        try:
            answers = self._session.run(list(self.outputs), {FEATURES: features})
        except Exception as error:  # as above
            raise GraphError(f"ONNX Runtime cannot run the graph: {_first_line(error)}") from error
        shapes = [np.shape(answer) for answer in answers]
        if any(shape != (len(features), 1) for shape in shapes):
            raise GraphError(f"expected outputs of shape ({len(features)}, 1), got {shapes}")
        return np.concatenate(answers, axis=1).astype(np.float32)


def check(payload: bytes, *, width: int, outputs: Sequence[str]) -> Facts:
    """Refuse, with what was expected and found, a graph that is not what devices run.

    ``width`` features go in, ``outputs`` come out, in any order.
    """
    if len(payload) > LARGEST:
        raise GraphError(f"expected at most {LARGEST} bytes of ONNX, got {len(payload)}")
    try:
        model = onnx.load_model_from_string(payload)
    except (DecodeError, ValueError) as error:
        raise GraphError(f"not an ONNX graph: {_first_line(error)}") from error
    _check_plain(model)
    graph_bounds.check_operators(model.graph)
    _check_whole(model.graph)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise GraphError(f"not an ONNX graph: {_first_line(error)}") from error
    _check_border(model.graph, width, outputs)
    graph_bounds.check_sizes(model, [width])
    Runner(payload, outputs).run(np.zeros((3, width), np.float32))
    operators = tuple(sorted({node.op_type for node in model.graph.node}))
    return Facts(opset=model.opset_import[0].version, operators=operators, bytes=len(payload))


def _check_plain(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.domain not in PLAIN:
            raise GraphError(
                f"expected operators of ai.onnx only, got {graph_bounds.named(node)} of {node.domain[:64]}"
            )
    if strange := sorted({opset.domain for opset in model.opset_import} - {*PLAIN}):
        raise GraphError(f"expected operators of ai.onnx only, got {', '.join(strange)[:200]}")
    if model.functions:
        raise GraphError(f"expected plain operators, got {len(model.functions)} functions")
    version = max((opset.version for opset in model.opset_import), default=0)
    if version > OPSET:
        raise GraphError(f"expected opset {OPSET} or older, got {version}")


def _check_whole(graph: onnx.GraphProto) -> None:
    """A graph that names other files would have this machine read them."""
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    tensors = [*graph.initializer]
    tensors += [tensor for attribute in attributes for tensor in (attribute.t, *attribute.tensors)]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
        raise GraphError("expected weights inside the file, got some in other files")


def _check_border(graph: onnx.GraphProto, width: int, outputs: Sequence[str]) -> None:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if [value.name for value in inputs] != [FEATURES]:
        raise GraphError(f"expected the one input {FEATURES!r}, got {[value.name for value in inputs]}")
    if sorted(value.name for value in graph.output) != sorted(outputs):
        names = [value.name for value in graph.output]
        raise GraphError(f"expected the outputs {' and '.join(outputs)}, got {names}")
    kind = inputs[0].type.tensor_type
    shape = [size.dim_value for size in kind.shape.dim]  # 0 where any size goes
    if kind.elem_type != onnx.TensorProto.FLOAT or len(shape) != 2 or shape[1] not in (0, width):
        raise GraphError(f"expected float32 features [n, {width}], got type {kind.elem_type} {shape}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
