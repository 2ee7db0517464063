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
from models.interface import ANOMALY, FEATURES, OPSET, OUTPUTS, REMAINING_LIFE
from models.networks import RemainingLifeNetwork

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


def export(network: RemainingLifeNetwork, check: Floats) -> bytes:
    """The graph of ``network``: ``features`` [n, width] -> ``remaining_life`` [n, 1], ``anomaly`` [n, 1].

    ``check`` float32 [n, width] are features on which both must agree; else GraphError.
    """
    width = network.normalisation.mean.shape[0]
    graph = _Graph()
    normal = _normalise(graph, network)
    _remaining_life(graph, network, normal)
    _anomaly(graph, network, normal)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "remaining-life",
            [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["n", width])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in OUTPUTS],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="andon",
    )
    onnx.checker.check_model(model, full_check=True)
    payload: bytes = model.SerializeToString(deterministic=True)
    check_parity(network, payload, check)
    return payload


def check_parity(network: RemainingLifeNetwork, payload: bytes, features: Floats) -> None:
    """Refuse a graph whose answers differ from the network's by more than ``PARITY``."""
    expected = torch.cat(network(torch.from_numpy(features)), dim=1).numpy()
    found = Runner(payload).run(features)
    scale = np.maximum(np.abs(expected), [network.cap, 1.0])
    worst = float((np.abs(found - expected) / scale).max(initial=0.0))
    if not worst <= PARITY:
        raise GraphError(f"expected ONNX Runtime within {PARITY:g} of PyTorch, got {worst:g} apart")


def _normalise(graph: _Graph, network: RemainingLifeNetwork) -> str:
    normalisation = network.normalisation
    low, high = graph.number("low", -normalisation.clip), graph.number("high", normalisation.clip)
    graph.node("Sub", [FEATURES, graph.weight("mean", normalisation.mean)], "centred")
    graph.node("Mul", ["centred", graph.weight("rate", normalisation.rate)], "scaled")
    return graph.node("Clip", ["scaled", low, high], "normal")


def _remaining_life(graph: _Graph, network: RemainingLifeNetwork, normal: str) -> None:
    answers = [_member(graph, member, normal, f"member{i}") for i, member in enumerate(network.members)]
    total = graph.node("Sum", answers, "total")
    mean = graph.node("Mul", [total, graph.number("share", network.cap / len(answers))], "uncapped")
    limits = [graph.number("zero", 0.0), graph.number("cap", network.cap)]
    graph.node("Clip", [mean, *limits], REMAINING_LIFE)


def _member(graph: _Graph, member: nn.Sequential, value: str, name: str) -> str:
    """Gemm and Relu by turns; dropout is for training and leaves no trace."""
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


def _anomaly(graph: _Graph, network: RemainingLifeNetwork, normal: str) -> None:
    """|(z - centre) W| / edge, with the subtraction and the division folded into one Gemm."""
    healthy = network.healthy
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
