"""The products by weights in a graph: what a variant of a network computes in another precision. Pure."""

from collections.abc import Iterable, Mapping

import onnx
from onnx import TensorProto

KINDS = ("Gemm", "MatMul", "Conv")


def weights_of(graph: onnx.GraphProto) -> Mapping[str, TensorProto]:
    return {tensor.name: tensor for tensor in graph.initializer}


def is_product(node: onnx.NodeProto, weights: Mapping[str, TensorProto]) -> bool:
    """Whether ``node`` multiplies what goes in by numbers that stand in the file."""
    return node.op_type in KINDS and node.input[1] in weights


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
