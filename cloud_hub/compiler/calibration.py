"""How large values inside a graph become on given rows: what a quantised network spans."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.graphs import Runner


def largest(payload: bytes, names: Sequence[str], rows: NDArray[np.float32]) -> dict[str, float]:
    """By name, the largest magnitude that each of the values ``names`` takes on ``rows`` [n, width]."""
    model = onnx.load_model_from_string(payload)
    asked = {f"{name}.largest": name for name in names}
    for told, name in asked.items():
        model.graph.node.extend(
            [
                helper.make_node("Abs", [name], [f"{told}.abs"]),
                helper.make_node("Flatten", [f"{told}.abs"], [f"{told}.flat"], axis=1),
                helper.make_node("ReduceMax", [f"{told}.flat"], [told], axes=[1], keepdims=1),
            ]
        )
    made = [helper.make_tensor_value_info(told, TensorProto.FLOAT, ["n", 1]) for told in asked]
    del model.graph.output[:]
    model.graph.output.extend(made)
    found = Runner(model.SerializeToString(), list(asked)).run(rows).max(axis=0)
    return dict(zip(asked.values(), found.tolist(), strict=True))
