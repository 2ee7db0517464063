"""What a network in a bundle is made of, told without running it.

Andon's networks are pure ``ai.onnx`` with all numbers inside: what TensorRT and ONNX
Runtime both run. An operator of another domain would run on one of them at best;
a tensor kept in a file would be read from wherever its name leads.
"""

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from wire.errors import BundleError
from wire.network_pb2 import Graph, Model, Tensor

DOMAINS = frozenset({"", "ai.onnx"})  # two names of one domain
IN_A_FILE = 1
DEEPEST = 32  # graphs within graphs


def check_network(onnx: bytes) -> None:
    """Raise ``BundleError`` for bytes that are no ONNX model, naming what does not belong in one."""
    try:
        model = Model.FromString(onnx)
    except DecodeError as error:
        raise BundleError(f"not an ONNX model: {error}") from error
    if not model.graph.node:
        raise BundleError("expected an ONNX model with a graph, got one without operators")
    for graph in _graphs(model.graph, DEEPEST):
        for node in graph.node:
            if node.domain not in DOMAINS:
                raise BundleError(
                    f"expected operators of ai.onnx, got {node.op_type[:64]} of {node.domain[:64]}"
                )
        for tensor in _tensors(graph):
            if tensor.data_location == IN_A_FILE:
                raise BundleError(f"expected all numbers inside, got tensor {tensor.name[:64]!r} in a file")


def _graphs(graph: Graph, depth: int) -> Iterator[Graph]:
    """``graph`` and those in its attributes, at every depth."""
    if not depth:
        raise BundleError(f"expected graphs at most {DEEPEST} deep")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _graphs(inner, depth - 1)


def _tensors(graph: Graph) -> Iterator[Tensor]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
