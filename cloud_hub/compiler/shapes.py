"""Which networks may share what was compiled: those that differ in what they have learnt alone. Pure.

A compiler builds on what it is told beside weights: sizes, axes, and single numbers such as the bounds of a
clip. Those count. Integers count too, and so each quantised network has a shape of its own.
"""

import hashlib
from math import prod

import onnx
from onnx import TensorProto

from cloud_hub.compiler.products import KINDS

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


def shape_of(payload: bytes) -> str:
    """SHA-256, hex, of the graph ``payload`` without the numbers it has learnt."""
    model = onnx.load_model_from_string(payload)
    multiplied = {name for node in model.graph.node if node.op_type in KINDS for name in node.input}
    for tensor in model.graph.initializer:
        if tensor.data_type in FLOATS and (prod(tensor.dims) > 1 or tensor.name in multiplied):
            for field in ("raw_data", "float_data", "int32_data"):
                tensor.ClearField(field)
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
