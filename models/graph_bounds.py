"""How much work and memory a graph may take, told from its operators and shapes before anything runs it.

A few hundred bytes of ONNX can loop without end or make terabytes out of one number. So:
operators only whose work follows from the shapes of what goes in, every shape known
beforehand, none growing faster than the rows, and a limit on their sum and on the work.
"""

from collections.abc import Mapping, Sequence
from math import prod

import onnx

from models.errors import GraphError

ELEMENTWISE = (
    "Abs Add And Cast Ceil Celu Clip Cos DequantizeLinear Div Elu Equal Erf Exp Floor Greater"
    " GreaterOrEqual HardSigmoid HardSwish Identity LeakyRelu Less LessOrEqual Log Max Mean Min Mul Neg"
    " Not Or PRelu Pow QuantizeLinear Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt"
    " Sub Sum Tanh ThresholdedRelu Where"
)
ACROSS = (
    "AveragePool BatchNormalization Conv Gemm GlobalAveragePool GlobalMaxPool InstanceNormalization"
    " LayerNormalization LogSoftmax LpNormalization MatMul MaxPool ReduceL1 ReduceL2 ReduceLogSum"
    " ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Softmax"
)
PLACING = "Concat Constant Flatten Gather Reshape Shape Slice Split Squeeze Transpose Unsqueeze"
OPERATORS = frozenset(f"{ELEMENTWISE} {ACROSS} {PLACING}".split())  # of opset 17; wire.network has the same

MOST_NODES = 10_000
MOST_WEIGHTS = 16 << 20  # numbers in one tensor of weights
MOST_VALUES = 1 << 17  # numbers for each row, in all values together
MOST_FIXED = 1 << 24  # numbers in all values that are as large for any number of rows
MOST_WORK = 1 << 30  # multiplications for one row, roughly
MANY = 1000  # rows that a graph is given at most at once, and judged by

Shape = tuple[int, ...]


def check_operators(graph: onnx.GraphProto) -> None:
    """Refuse by name what may run without end or fill memory from next to nothing."""
    strange = {node.op_type: named(node) for node in reversed(graph.node) if node.op_type not in OPERATORS}
    if strange:
        raise GraphError(
            "expected operators whose work follows from the size of what goes in (Gemm, Conv, Relu, Softmax,"
            f" ReduceMean, Slice, Reshape and the like), got {', '.join(sorted(strange.values()))[:200]}"
        )
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    if any(attribute.HasField("g") or attribute.graphs for attribute in attributes):
        raise GraphError("expected one graph, got graphs within operators")
    if len(graph.node) > MOST_NODES:
        raise GraphError(f"expected at most {MOST_NODES} operators, got {len(graph.node)}")
    sparse = [attribute.name for attribute in attributes if attribute.HasField("sparse_tensor")]
    if graph.sparse_initializer or sparse:
        raise GraphError("expected weights written out, got sparse ones")
    tensors = [*graph.initializer, *(one for own in attributes for one in (own.t, *own.tensors))]
    for tensor in tensors:
        if prod(tensor.dims) > MOST_WEIGHTS or min(tensor.dims, default=0) < 0:
            raise GraphError(f"expected at most {MOST_WEIGHTS} weights a tensor, got {list(tensor.dims)}")


def named(node: onnx.NodeProto) -> str:
    """What ``node`` is, and where in its graph."""
    return f"{node.op_type[:64]} at node {(node.name or next(iter(node.output), ''))[:64]!r}"


def check_sizes(model: onnx.ModelProto, inputs: Sequence[int]) -> None:
    """Refuse a graph whose values are too large; its one input is [n, *``inputs``] for n rows."""
    one, many = (_shapes(model, (rows, *inputs)) for rows in (1, MANY))
    made = [name for node in model.graph.node for name in node.output if name]
    for name in made:
        if prod(many[name]) > MANY * prod(one[name]):
            raise GraphError(
                f"expected values that grow as the rows do, got {name} {[*one[name]]} for one row and "
                f"{[*many[name]]} for {MANY}"
            )
    _check_sum({name: one[name] for name in made if one[name] != many[name]}, MOST_VALUES, "a row")
    _check_sum({name: one[name] for name in made if one[name] == many[name]}, MOST_FIXED, "beside the rows")
    work = sum(_work(node, one) for node in model.graph.node)
    if work > MOST_WORK:
        raise GraphError(f"expected at most {MOST_WORK} multiplications a row, got about {work}")


def _check_sum(shapes: Mapping[str, Shape], most: int, what: str) -> None:
    if sum(map(prod, shapes.values())) > most:
        name = max(shapes, key=lambda name: prod(shapes[name]))
        raise GraphError(
            f"expected values of at most {most} numbers {what}, got more: {name} is {[*shapes[name]]}"
        )


def _shapes(model: onnx.ModelProto, features: Shape) -> dict[str, Shape]:
    """By name, the shape of every value when ``features`` go in, whatever the file says of it."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    graph = asked.graph
    del graph.value_info[:]
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for value in graph.input:
        if value.name not in weights:
            value.type.tensor_type.ClearField("shape")
            for size in features:
                value.type.tensor_type.shape.dim.add(dim_value=size)
    try:
        graph = onnx.shape_inference.infer_shapes(asked, strict_mode=True, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise GraphError(f"the sizes of its values cannot be told: {str(error).strip()[:300]}") from error
    known = weights | {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
        and all(size.HasField("dim_value") for size in value.type.tensor_type.shape.dim)
    }
    made = [name for node in graph.node for name in node.output if name]
    if unknown := [name for name in made if name not in known]:
        raise GraphError(f"expected values whose sizes are known beforehand, not so of {unknown[0]!r}")
    return known


def _work(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int:
    """Roughly the multiplications of one operator, rather too many than too few."""
    taken = [shapes.get(name, ()) for name in node.input if name]
    made = sum(prod(shapes[name]) for name in node.output if name)
    each = 1
    if node.op_type in ("Gemm", "MatMul"):
        each = max(taken[0], default=1)
    elif node.op_type == "Conv":
        each = prod(taken[1][1:])
    elif node.op_type in ("AveragePool", "MaxPool"):
        kernel = next(own.ints for own in node.attribute if own.name == "kernel_shape")
        each = min(prod(kernel), prod(taken[0]))
    return made * each + sum(map(prod, taken))
