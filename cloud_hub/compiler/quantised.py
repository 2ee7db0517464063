"""A network in INT8: products by weights, as Quantize- and DequantizeLinear tell; the rest stays float32.

Symmetric and without zero points, weights with a scale for each channel: the form that both TensorRT and
ONNX Runtime compute in integers. Biases stay float32 too.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from cloud_hub.compiler.calibration import largest
from cloud_hub.compiler.products import check_any, is_product, rewritten, weights_of

LEVELS = 127
SMALLEST = 1e-12  # a scale of 0 would divide by nothing

Floats = NDArray[np.float32]


def to_int8(payload: bytes, rows: Floats) -> bytes:
    """The graph ``payload``, calibrated on ``rows`` [n, width]; the same for the same.

    An activation spans the largest value that ``rows`` bring about there: beyond it, it says no more. Nor
    does it say that something is no number: NaN becomes a whole one. GraphError where there is no product by
    weights, or no row to calibrate on.
    """
    model = onnx.load_model_from_string(payload)
    check_any(model.graph)
    weights = weights_of(model.graph)
    products = [node for node in model.graph.node if is_product(node, weights)]
    spans = largest(payload, [node.input[0] for node in products], rows)
    written = _Written(model.graph, weights, spans)
    nodes = []
    for node in model.graph.node:
        if is_product(node, weights):
            value, weight = written.value(node.input[0]), written.weight(node)
            nodes += written.taken()
            node.input[0], node.input[1] = value, weight
        nodes.append(node)
    return rewritten(model, nodes)


class _Written:
    """Values and weights as integers, each written once."""

    def __init__(
        self, graph: onnx.GraphProto, weights: Mapping[str, TensorProto], spans: Mapping[str, float]
    ) -> None:
        self._graph, self._weights, self._spans = graph, weights, spans
        self._done: set[str] = set()
        self._nodes: list[NodeProto] = []

    def value(self, name: str) -> str:
        told = f"{name}.int8"
        if told not in self._done:
            self._done.add(told)
            scale, zero = self._scale(told, np.float32(self._spans[name])), self._zero(told, ())
            eight = f"{told}.whole"
            self._node("QuantizeLinear", [name, scale, zero], eight)
            self._node("DequantizeLinear", [eight, scale, zero], told)
        return told

    def weight(self, product: NodeProto) -> str:
        name = product.input[1]
        axis = _channel(product, len(self._weights[name].dims))
        told = f"{name}.int8.{axis}"
        if told not in self._done:
            self._done.add(told)
            values = numpy_helper.to_array(self._weights[name])
            others = tuple(place for place in range(values.ndim) if place != axis)
            span = np.abs(values).max(axis=others, keepdims=True)
            eight = np.rint(values / np.maximum(span / LEVELS, SMALLEST)).astype(np.int8)
            scale, zero = self._scale(told, span.reshape(-1)), self._zero(told, span.size)
            self._node(
                "DequantizeLinear", [self._number(f"{told}.whole", eight), scale, zero], told, axis=axis
            )
        return told

    def taken(self) -> list[NodeProto]:
        """The nodes written since it was asked last."""
        nodes, self._nodes = self._nodes, []
        return nodes

    def _scale(self, told: str, span: NDArray[np.float32] | np.float32) -> str:
        return self._number(f"{told}.scale", np.maximum(span / LEVELS, SMALLEST).astype(np.float32))

    def _zero(self, told: str, shape: tuple[int, ...] | int) -> str:
        return self._number(f"{told}.zero", np.zeros(shape, np.int8))

    def _number(self, name: str, values: NDArray[np.generic]) -> str:
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def _node(self, kind: str, taken: list[str], made: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, taken, [made], name=made, **attributes))


def _channel(node: NodeProto, axes: int) -> int:
    """Which of the ``axes`` of a product's weights its answers lie along."""
    if node.op_type == "Conv":
        return 0
    turned = node.op_type == "Gemm" and any(own.name == "transB" and own.i for own in node.attribute)
    return 0 if turned else axes - 1
