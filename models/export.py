"""A network as an ONNX graph of plain ai.onnx operators, normalisation inside.

The graph is written node by node from the weights: small, exact, and the same
weights give the same bytes, which no tracing exporter promises. A graph leaves
here only after ONNX Runtime has agreed with PyTorch.
"""

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.errors import GraphError
from models.graphs import Runner
from models.interface import ANOMALY, FEATURES, OPSET, REMAINING_LIFE
from models.networks import FaultHead, Healthy, LifeHead, Network, Normalisation

IR_VERSION = 8  # the one of opset 17: older runtimes still read it
PARITY = 1e-3  # of the cap, and of an anomaly of 1

Floats = NDArray[np.float32]
Array = NDArray[Any]


class _Graph:
    """Nodes and weights in the order they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, values: Tensor | Array) -> str:
        array = values.detach().numpy() if isinstance(values, Tensor) else values
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def number(self, name: str, value: float) -> str:
        return self.weight(name, np.array(value, np.float32))

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def export(network: Network, check: Floats) -> bytes:
    """The graph of ``network``: ``features`` [n, width] -> each of its outputs [n, 1].

    ``check`` float32 [n, width] are features on which both must agree; else GraphError.
    """
    width = network.normalisation.mean.shape[0]
    graph = _Graph()
    normal = _normalise(graph, network.normalisation)
    if network.life:
        _remaining_life(graph, network.life, normal)
    _anomaly(graph, network.healthy, normal)
    if network.faults:
        _faults(graph, network.faults, normal)
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in network.outputs]
    inputs = [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["n", width])]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "andon", inputs, outputs, graph.weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="andon",
    )
    onnx.checker.check_model(model, full_check=True)
    payload: bytes = model.SerializeToString(deterministic=True)
    check_parity(network, payload, check)
    return payload


def check_parity(network: Network, payload: bytes, features: Floats) -> None:
    """Refuse a graph whose answers differ from the network's by more than ``PARITY``."""
    expected = network(torch.from_numpy(features)).numpy()
    found = Runner(payload, network.outputs).run(features)
    cap = network.life.cap if network.life else 1.0
    scale = np.maximum(np.abs(expected), [cap if name == REMAINING_LIFE else 1.0 for name in network.outputs])
    worst = float((np.abs(found - expected) / scale).max(initial=0.0))
    if not worst <= PARITY:
        raise GraphError(f"expected ONNX Runtime within {PARITY:g} of PyTorch, got {worst:g} apart")


def _normalise(graph: _Graph, normalisation: Normalisation) -> str:
    low, high = graph.number("low", -normalisation.clip), graph.number("high", normalisation.clip)
    graph.node("Sub", [FEATURES, graph.weight("mean", normalisation.mean)], "centred")
    graph.node("Mul", ["centred", graph.weight("rate", normalisation.rate)], "scaled")
    return graph.node("Clip", ["scaled", low, high], "normal")


def _remaining_life(graph: _Graph, life: LifeHead, normal: str) -> None:
    answers = [_member(graph, member, normal, f"life{i}") for i, member in enumerate(life.members)]
    total = graph.node("Sum", answers, "life.total")
    mean = graph.node("Mul", [total, graph.number("life.share", life.cap / len(answers))], "uncapped")
    limits = [graph.number("zero", 0.0), graph.number("cap", life.cap)]
    graph.node("Clip", [mean, *limits], REMAINING_LIFE)


def _faults(graph: _Graph, faults: FaultHead, normal: str) -> None:
    likely = []
    for number, member in enumerate(faults.members):
        logits = _member(graph, member, normal, f"faults{number}")
        likely.append(graph.node("Softmax", [logits], f"faults{number}.likely", axis=1))
    total = graph.node("Sum", likely, "faults.total")
    mean = graph.node("Mul", [total, graph.number("faults.share", 1 / len(likely))], "faults.mean")
    axes = graph.weight("faults.axes", np.array([1], np.int64))
    for place, name in enumerate(faults.outputs, start=1):
        first = graph.weight(f"{name}.first", np.array([place], np.int64))
        last = graph.weight(f"{name}.last", np.array([place + 1], np.int64))
        graph.node("Slice", [mean, first, last, axes], name)


def _member(graph: _Graph, member: nn.Sequential, value: str, name: str) -> str:
    """Gemm and Relu by turns."""
    for number, layer in enumerate(member):
        place = f"{name}.{number}"
        if isinstance(layer, nn.Linear):
            weights = [
                graph.weight(f"{place}.weight", layer.weight),
                graph.weight(f"{place}.bias", layer.bias),
            ]
            value = graph.node("Gemm", [value, *weights], place, transB=1)
        elif isinstance(layer, nn.ReLU):
            value = graph.node("Relu", [value], place)
    return value


def _anomaly(graph: _Graph, healthy: Healthy, normal: str) -> None:
    """|(z - centre) W| / edge, with the subtraction and the division folded into one Gemm."""
    whitening = healthy.whitening.double() / healthy.edge
    offset = -(healthy.centre.double() @ whitening)
    weights = [
        graph.weight("healthy.weight", whitening.float()),
        graph.weight("healthy.bias", offset.float()),
    ]
    white = graph.node("Gemm", [normal, *weights], "white")
    square = graph.node("Mul", [white, white], "square")
    axes = graph.weight("axes", np.array([1], np.int64))
    total = graph.node("ReduceSum", [square, axes], "distance2", keepdims=1)
    graph.node("Sqrt", [total], ANOMALY)
