"""What a network in a bundle is made of, told without running it.

Andon's networks are pure ``ai.onnx`` with all numbers inside: what TensorRT and ONNX
Runtime both run. An operator of another domain would run on one of them at best;
a tensor kept in a file would be read from wherever its name leads; an operator that
loops, or makes much out of little, could stop a device by itself.
"""

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from wire.errors import BundleError
from wire.network_pb2 import Graph, Model, Node, Tensor

DOMAINS = frozenset({"", "ai.onnx"})  # two names of one domain
IN_A_FILE = 1
# Operators whose work follows from the size of what goes in: those that the hub lets pass.
_ALLOWED = (
    "Abs Add And AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant Conv Cos "
    "DequantizeLinear Div Elu Equal Erf Exp Flatten Floor Gather Gemm GlobalAveragePool GlobalMaxPool "
    "Greater GreaterOrEqual HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization "
    "LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul Max MaxPool Mean Min Mul Neg Not "
    "Or PRelu Pow QuantizeLinear Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax "
    "ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Selu Shape Sigmoid "
    "Sign Sin Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu "
    "Transpose Unsqueeze Where"
)
OPERATORS = frozenset(_ALLOWED.split())


def check_network(onnx: bytes) -> None:
    """Raise ``BundleError`` for bytes that are no ONNX model, naming what does not belong in one."""
    try:
        model = Model.FromString(onnx)
    except DecodeError as error:
        raise BundleError(f"not an ONNX model: {error}") from error
    if not model.graph.node:
        raise BundleError("expected an ONNX model with a graph, got one without operators")
    for node in model.graph.node:
        _check_node(node)
    for tensor in _tensors(model.graph):
        if tensor.data_location == IN_A_FILE:
            raise BundleError(f"expected all numbers inside, got tensor {tensor.name[:64]!r} in a file")


def _check_node(node: Node) -> None:
    told = f"{node.op_type[:64]} at node {(node.name or next(iter(node.output), ''))[:64]!r}"
    if node.domain not in DOMAINS:
        raise BundleError(f"expected operators of ai.onnx, got {told} of {node.domain[:64]}")
    if node.op_type not in OPERATORS:
        raise BundleError(f"expected operators whose work follows from the size of what goes in, got {told}")
    if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
        raise BundleError(f"expected one graph, got another within {told}")


def _tensors(graph: Graph) -> Iterator[Tensor]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
