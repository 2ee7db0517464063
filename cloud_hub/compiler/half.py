"""A network in FP16: products by weights, and the activations right behind them; all else stays float32.

Those products are what a GPU has its tensor cores for. Normalisation stays as it was, as raw sensor values
pass 65504 easily, and so do sums of squares, and what is scaled up at the end. In and out goes float32.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from cloud_hub.compiler.calibration import largest
from cloud_hub.compiler.products import check_any, is_product, rewritten, weights_of
from models.errors import GraphError

ROOM = 32752.0  # half the largest FP16 number: rows that nobody has seen yet may bring about more
BEHIND = ("Relu", "LeakyRelu", "Sigmoid", "Tanh")  # that make nothing larger


def to_fp16(payload: bytes) -> bytes:
    """The graph ``payload`` with FP16 inside; equal graphs give equal bytes.

    A weight that FP16 cannot hold becomes infinite there, and the answers show it. GraphError where there is
    no product by weights.
    """
    model = onnx.load_model_from_string(payload)
    graph = model.graph
    check_any(graph)
    halved, weights = _halved(graph), weights_of(graph)
    in_full = {value.name for value in graph.output}
    in_full |= {name for node in graph.node if node.output[0] not in halved for name in node.input}
    there, nodes = {*halved}, []
    for node in graph.node:
        if node.output[0] not in halved:
            nodes.append(node)
            continue
        for name in dict.fromkeys(name for name in node.input if name and name not in there):
            if name in weights:
                graph.initializer.append(_half(weights[name]))
            else:
                nodes.append(_cast(name, _own(name), TensorProto.FLOAT16))
            there.add(name)
        nodes += _moved(node, in_full)
    return rewritten(model, nodes)


def check_room(payload: bytes, rows: NDArray[np.float32]) -> None:
    """GraphError where a value in FP16 would come near what that holds, on ``rows`` [n, width]."""
    names = sorted(_halved(onnx.load_model_from_string(payload).graph))
    found = largest(payload, names, rows)
    farthest = max(found, key=lambda name: found[name], default=None)
    if farthest is not None and not found[farthest] <= ROOM:
        raise GraphError(
            f"{farthest} reaches {found[farthest]:.3g} on its dataset, expected at most {ROOM:g}, half of"
            " what FP16 holds"
        )


def _halved(graph: onnx.GraphProto) -> set[str]:
    """The values that are made in FP16, by name."""
    weights, halved = weights_of(graph), set[str]()
    for node in graph.node:
        if is_product(node, weights) or (node.op_type in BEHIND and node.input[0] in halved):
            halved.add(node.output[0])
    return halved


def _moved(node: NodeProto, in_full: set[str]) -> list[NodeProto]:
    """``node`` on halves, and its answer in float32 where somebody takes it so."""
    whole = node.output[0]
    own = NodeProto()
    own.CopyFrom(node)
    own.input[:] = [name and _own(name) for name in node.input]
    own.output[0] = _own(whole)
    return [own, _cast(_own(whole), whole, TensorProto.FLOAT)] if whole in in_full else [own]


def _own(name: str) -> str:
    return f"{name}.fp16"


def _cast(taken: str, made: str, kind: int) -> NodeProto:
    return helper.make_node("Cast", [taken], [made], name=f"{made}.cast", to=kind)


def _half(weight: TensorProto) -> TensorProto:
    with np.errstate(over="ignore"):
        values = numpy_helper.to_array(weight).astype(np.float16)
    return numpy_helper.from_array(values, _own(weight.name))
