"""How large values inside a graph become on given rows: what a quantised network spans."""

import math
from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.errors import GraphError
from models.graphs import Runner


def largest(payload: bytes, names: Sequence[str], rows: NDArray[np.float32]) -> dict[str, float]:
    """By name, the largest magnitude that each of the values ``names`` takes on ``rows`` [n, width].

    A row that is not all numbers is left out, as no device asks about one. GraphError where none is left, or
    where a value becomes no number.
    """
    sound = rows[np.isfinite(rows).all(axis=1)]
    if not len(sound):
        raise GraphError(f"expected rows of numbers to calibrate on, got none out of {len(rows)}")
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
    reached = Runner(model.SerializeToString(), list(asked)).run(sound).max(axis=0)
    found = dict(zip(asked.values(), reached.tolist(), strict=True))
    if strange := [name for name, value in found.items() if not math.isfinite(value)]:
        raise GraphError(f"{strange[0]} reaches {found[strange[0]]} on its dataset, expected numbers")
    return found
