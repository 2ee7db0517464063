"""A drawn network of a real one's size, in the precisions that an engine may be built in.

features [n, width] -> normalised -> 64 -> 32 -> remaining_life and anomaly, normalisation inside, in float32
as a bundle's variants have it. What it answers means nothing; what it costs is what such a network costs.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from wire.precision import Precision

HIDDEN = (64, 32)
OUTPUTS = ("remaining_life", "anomaly")
STEP = 4 / 127  # of int8: what Clip lets through, in 127 steps

Constants = dict[str, npt.NDArray[Any]]


def drawn(width: int, precision: Precision = Precision.FP32) -> bytes:
    """ONNX, float32 in and out: types live in the network, so one in FP16 or INT8 is another network.

    TF32 is what a GPU makes of the float32 one; there is none in BF16.
    """
    constants: Constants = {
        "mean": np.zeros(width, np.float32),
        "scale": np.ones(width, np.float32),
        "low": np.array(-4, np.float32),
        "high": np.array(4, np.float32),
    }
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["shifted"]),
        helper.make_node("Div", ["shifted", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["hidden0"]),
    ]
    layers = [(f"hidden{place}", f"hidden{place + 1}", size, "Relu") for place, size in enumerate(HIDDEN)]
    layers += [(f"hidden{len(HIDDEN)}", name, 1, "Identity") for name in OUTPUTS]
    sizes = {"hidden0": width} | {above: size for _, above, size, _ in layers}
    rng = np.random.default_rng(6)
    for below, above, size, activation in layers:
        weights = rng.normal(0, sizes[below] ** -0.5, (sizes[below], size)).astype(np.float32)
        nodes += _layer(below, above, activation, weights=weights, precision=precision, constants=constants)
    return _model(nodes, width, dict.fromkeys(OUTPUTS, 1), constants)


def identity(width: int) -> bytes:
    """ONNX that gives back what it gets: what a library costs, and nothing else."""
    return _model([helper.make_node("Identity", ["features"], ["same"])], width, {"same": width}, {})


def _layer(
    below: str,
    above: str,
    activation: str,
    *,
    weights: npt.NDArray[np.float32],
    precision: Precision,
    constants: Constants,
) -> list[Any]:
    """activation(below @ weights + bias), float32 outside and ``precision`` inside."""
    kinds = {Precision.FP16: _in_fp16, Precision.INT8: _in_int8}
    found, constants_of = kinds.get(precision, _in_fp32)(below, above, weights)
    constants |= constants_of
    return [*found, helper.make_node(activation, [f"{above}_sums"], [above])]


def _in_fp32(below: str, above: str, weights: npt.NDArray[np.float32]) -> tuple[list[Any], Constants]:
    right, bias, sums = f"{above}_weights", f"{above}_bias", f"{above}_sums"
    constants: Constants = {right: weights, bias: np.zeros(weights.shape[1], np.float32)}
    return [helper.make_node("Gemm", [below, right, bias], [sums])], constants


def _in_fp16(below: str, above: str, weights: npt.NDArray[np.float32]) -> tuple[list[Any], Constants]:
    left, right, bias, sums = (f"{above}_{part}" for part in ("in", "weights", "bias", "sums"))
    nodes = [
        helper.make_node("Cast", [below], [left], to=TensorProto.FLOAT16),
        helper.make_node("Gemm", [left, right, bias], [f"{sums}16"]),
        helper.make_node("Cast", [f"{sums}16"], [sums], to=TensorProto.FLOAT),
    ]
    return nodes, {right: weights.astype(np.float16), bias: np.zeros(weights.shape[1], np.float16)}


def _in_int8(below: str, above: str, weights: npt.NDArray[np.float32]) -> tuple[list[Any], Constants]:
    left, right, bias, sums = (f"{above}_{part}" for part in ("in", "weights", "bias", "sums"))
    nodes = [
        helper.make_node("QuantizeLinear", [below, "step", "zero"], [f"{left}8"]),
        helper.make_node("DequantizeLinear", [f"{left}8", "step", "zero"], [left]),
        helper.make_node("DequantizeLinear", [f"{right}8", f"{right}_step", "zero"], [right]),
        helper.make_node("Gemm", [left, right, bias], [sums]),
    ]
    step = np.array(np.abs(weights).max() / 127, np.float32)
    return nodes, {
        f"{right}8": np.rint(weights / step).astype(np.int8),
        f"{right}_step": step,
        "step": np.array(STEP, np.float32),
        "zero": np.array(0, np.int8),
        bias: np.zeros(weights.shape[1], np.float32),
    }


def _model(nodes: list[Any], width: int, outputs: dict[str, int], constants: Constants) -> bytes:
    def describe(name: str, size: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])

    graph = helper.make_graph(
        nodes,
        "drawn",
        [describe("features", width)],
        [describe(name, size) for name, size in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
