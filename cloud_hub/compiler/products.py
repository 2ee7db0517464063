"""The products by weights in a graph: what a variant of a network computes in another precision. Pure."""

from collections.abc import Iterable, Mapping

import onnx
from onnx import TensorProto

from models.errors import GraphError

KINDS = ("Gemm", "MatMul", "Conv")


def weights_of(graph: onnx.GraphProto) -> Mapping[str, TensorProto]:
    return {tensor.name: tensor for tensor in graph.initializer}


def is_product(node: onnx.NodeProto, weights: Mapping[str, TensorProto]) -> bool:
    """Whether ``node`` multiplies what goes in by a matrix of float32 that stands in the file."""
    if node.op_type not in KINDS or node.input[1] not in weights:
        return False
    weight = weights[node.input[1]]
    return weight.data_type == TensorProto.FLOAT and len(weight.dims) > 1


def check_any(graph: onnx.GraphProto) -> None:
    """GraphError for a ``graph`` that would be the same in any precision."""
    weights = weights_of(graph)
    if not any(is_product(node, weights) for node in graph.node):
        raise GraphError(
            f"expected a product ({', '.join(KINDS)}) by a matrix of float32 weights, got a graph without: it"
            " gains nothing by another precision"
        )


def rewritten(model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto]) -> bytes:
    """``model`` with ``nodes`` instead of its own and without weights that none of them takes."""
    graph, made = model.graph, [*nodes]
    used = {name for node in made for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    lost = {tensor.name for tensor in graph.initializer} - used
    taken = [value for value in graph.input if value.name not in lost]
    del graph.node[:], graph.initializer[:], graph.input[:]
    graph.node.extend(made)
    graph.initializer.extend(kept)
    graph.input.extend(taken)
    del graph.value_info[:]  # it tells of values as they were
    payload: bytes = model.SerializeToString(deterministic=True)
    return payload
