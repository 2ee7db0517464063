"""Whatever stands between two products by weights, a network in FP16 or INT8 means what it meant in float32.

Every operator that a release may be made of stands there once, and chains of them as hypothesis draws them.
"""

import re
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from cloud_hub.compiler.half import to_fp16
from cloud_hub.compiler.quantised import to_int8
from models import graphs
from models.errors import GraphError
from models.graph_bounds import OPERATORS

RNG = np.random.default_rng(1)
ROWS = RNG.normal(0, 1, (32, 4)).astype(np.float32)


def drawn(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(0, 0.4, shape).astype(np.float32)


# What the steps below may name beside their own values.
NUMBERS: dict[str, NDArray[Any]] = {
    "first_w": drawn(4, 6),
    "last_w": drawn(6, 1),
    "tenth": np.array(0.1, np.float32),
    "half": np.array(0.5, np.float32),
    "minus": np.array(-0.5, np.float32),
    "one": np.array(1, np.float32),
    "row": drawn(6) + np.float32(1),
    "pair": np.array([1, 2], np.float32),
    "small": np.array([0.1, -0.1], np.float32),
    "twentieth": np.array(0.05, np.float32),
    "zero": np.array(0, np.int8),
    "square": drawn(6, 6),
    "cube": drawn(1, 3, 3),
    "line": drawn(6),
    "kernel": drawn(2, 2, 3, 1),
    "apart": drawn(2, 1, 1, 1),
    "at0": np.array([0]),
    "at1": np.array([1]),
    "at2": np.array([2]),
    "end": np.array([6]),
    "parts": np.array([2, 4]),
    "turned": np.array([5, 4, 3, 2, 1, 0]),
    "flat": np.array([-1, 6]),
    "image": np.array([-1, 2, 3, 1]),
    "deep": np.array([-1, 2, 3]),
}
SIMPLE = (
    "Abs Ceil Celu Cos Elu Erf Floor HardSigmoid HardSwish Identity LeakyRelu Neg Relu Round Selu Sigmoid Sign"
    " Sin Softplus Softsign Tanh ThresholdedRelu Softmax LogSoftmax LpNormalization LayerNormalization"
)
BY_A_ROW = "Add Div Max Mean Min Mul Sub Sum PRelu"
COMPARED = "Greater GreaterOrEqual Less LessOrEqual"
OF_POSITIVE = "Log Reciprocal Sqrt"
REDUCED = (
    "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare ReduceLogSum ReduceLogSumExp"
)
POOLED = "AveragePool MaxPool"
OVER_ALL = "GlobalAveragePool GlobalMaxPool"
# By operator, what makes "out" [n, 6] of "in" [n, 6]; in ONNX's own text, other values are the step's own.
STEPS = {
    **{kind: f"out = {kind}(in)" for kind in SIMPLE.split()},
    **{kind: f"out = {kind}(in, row)" for kind in BY_A_ROW.split()},
    **{kind: f"a = {kind}(in, tenth) out = Cast<to = 1>(a)" for kind in COMPARED.split()},
    **{kind: f"a = Abs(in) b = Add(a, half) out = {kind}(b)" for kind in OF_POSITIVE.split()},
    **{
        kind: f"a = Abs(in) b = {kind}<axes = [1], keepdims = 1>(a) out = Mul(in, b)"
        for kind in REDUCED.split()
    },
    **{
        kind: f"a = Reshape(in, image) b = {kind}<kernel_shape = [3, 1], pads = [1, 0, 1, 0]>(a)"
        " out = Reshape(b, flat)"
        for kind in POOLED.split()
    },
    **{
        kind: f"a = Reshape(in, image) b = {kind}(a) c = Mul(a, b) out = Reshape(c, flat)"
        for kind in OVER_ALL.split()
    },
    "LayerNormalization": "out = LayerNormalization(in, row, line)",
    "ReduceSum": "a = ReduceSum<keepdims = 1>(in, at1) out = Mul(in, a)",
    "Exp": "a = Clip(in, minus, one) out = Exp(a)",
    "Clip": "out = Clip(in, minus, half)",
    "Pow": "a = Abs(in) out = Pow(a, half)",
    "Equal": "a = Sign(in) b = Equal(a, one) out = Cast<to = 1>(b)",
    "Not": "a = Greater(in, tenth) b = Not(a) out = Cast<to = 1>(b)",
    "And": "a = Greater(in, tenth) b = Less(in, half) c = And(a, b) out = Cast<to = 1>(c)",
    "Or": "a = Greater(in, half) b = Less(in, tenth) c = Or(a, b) out = Cast<to = 1>(c)",
    "Where": "a = Greater(in, tenth) out = Where(a, in, row)",
    "Cast": "a = Cast<to = 11>(in) out = Cast<to = 1>(a)",
    "Constant": "a = Constant<value = float[1] {2}>() out = Mul(in, a)",
    "Concat": "a = Slice(in, at0, at2, at1) b = Slice(in, at2, end, at1) out = Concat<axis = 1>(b, a)",
    "Slice": "a = Slice(in, at0, end, at1) out = Mul(a, in)",
    "Split": "a, b = Split<axis = 1>(in, parts) out = Concat<axis = 1>(b, a)",
    "Gather": "out = Gather<axis = 1>(in, turned)",
    "Flatten": "out = Flatten<axis = 1>(in)",
    "Transpose": "a = Transpose<perm = [1, 0]>(in) out = Transpose<perm = [1, 0]>(a)",
    "Unsqueeze": "a = Unsqueeze(in, at2) out = Squeeze(a, at2)",
    "Squeeze": "a = Unsqueeze(in, at1) out = Squeeze(a, at1)",
    "Reshape": "a = Reshape(in, image) out = Reshape(a, flat)",
    "Shape": "a = Shape(in) out = Reshape(in, a)",
    "BatchNormalization": "a = Reshape(in, image) b = BatchNormalization(a, pair, small, small, pair)"
    " out = Reshape(b, flat)",
    "InstanceNormalization": "a = Reshape(in, image) b = InstanceNormalization(a, pair, small)"
    " out = Reshape(b, flat)",
    "QuantizeLinear": "a = QuantizeLinear(in, twentieth, zero) out = DequantizeLinear(a, twentieth, zero)",
    "DequantizeLinear": "a = QuantizeLinear(in, half, zero) out = DequantizeLinear(a, half, zero)",
    "Conv": "a = Reshape(in, image) b = Conv<kernel_shape = [3, 1], pads = [1, 0, 1, 0]>(a, kernel, small)"
    " out = Reshape(b, flat)",
    "Conv of groups": "a = Reshape(in, image) b = Conv<kernel_shape = [1, 1], group = 2>(a, apart)"
    " out = Reshape(b, flat)",
    "Gemm": "out = Gemm<transB = 1, alpha = 0.7, beta = 1.5>(in, square, line)",
    "MatMul": "out = MatMul(in, square)",
    "MatMul by itself": "a = Transpose<perm = [1, 0]>(in) b = MatMul(a, in) out = MatMul(in, b)",
    "MatMul of three axes": "a = Reshape(in, deep) b = MatMul(a, cube) out = Reshape(b, flat)",
    "MatMul by a line": "a = MatMul(in, line) b = Unsqueeze(a, at1) out = Mul(b, in)",
    "MatMul in double": "a = Cast<to = 11>(in) b = MatMul(a, wide) out = Cast<to = 1>(b)",
    "weights turned and not": "a = Gemm<transB = 1>(in, square) out = Gemm(a, square)",
    "weights for something else": "a = MatMul(in, square) b = ReduceMean<axes = [0]>(square) out = Add(a, b)",
    "taken by two": "a = Relu(in) out = Add(a, in)",
}
JUMPS = ("Ceil", "Floor", "Round", "Sign", "ThresholdedRelu", "Equal", "Not", "And", "Or", "Where")
JUMPS += (*COMPARED.split(), "QuantizeLinear", "DequantizeLinear")  # where a rounding may become a step
NUMBERS["wide"] = drawn(6, 6).astype(np.float64)
NO_REFERENCE = ("QuantizeLinear", "DequantizeLinear", "MaxPool")  # of opset 17; its evaluator has them not


def network(*steps: str) -> bytes:
    """features -> a product -> ``steps`` -> a product -> y."""
    text = "v0 = Gemm<alpha = 0.5, beta = 2.0>(features, first_w, row) "
    for place, name in enumerate(steps):
        own = {"in": f"v{place}", "out": f"v{place + 1}"} | {one: f"{one}{place}" for one in "abc"}
        text += re.sub(r"\b(in|out|a|b|c)\b", lambda found, own=own: own[found[0]], STEPS[name]) + " "
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[n, 4] features) => (float[n, 1] y)'
    model = onnx.parser.parse_model(f"{head} {{ {text} y = MatMul(v{len(steps)}, last_w) }}")
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        numpy_helper.from_array(values, name) for name, values in NUMBERS.items() if name in used
    )
    payload: bytes = model.SerializeToString()
    return payload


def parted(payload: bytes, made: bytes, *, rows: float = 1.0) -> float:
    """How far the answers part, as a share of the largest: on all rows, or on this share of them."""
    onnx.checker.check_model(onnx.load_model_from_string(made), full_check=True)
    whole, own = (graphs.Runner(each).run(ROWS) for each in (payload, made))
    return float(np.quantile(np.abs(own - whole), rows) / np.abs(whole).max())


def test_every_operator_of_a_release_is_tried() -> None:
    assert {name for name in STEPS if " " not in name} == OPERATORS


@pytest.mark.parametrize("name", STEPS)
def test_operator_means_the_same_between_products_in_another_precision(name: str) -> None:
    payload = network(name)
    half, most = to_fp16(payload), 0.5 if name in JUMPS else 1.0
    assert parted(payload, half, rows=most) < 0.005
    assert parted(payload, to_int8(payload, ROWS), rows=most) < 0.08
    if name not in NO_REFERENCE:  # rounded at every step, as a GPU rounds
        (found,) = ReferenceEvaluator(onnx.load_model_from_string(half)).run(None, {"features": ROWS})
        whole = graphs.Runner(payload).run(ROWS)
        assert np.quantile(np.abs(found - whole), most) < 0.005 * np.abs(whole).max()


SMOOTH = [name for name in STEPS if name not in JUMPS]


def test_weights_of_three_axes_have_a_scale_for_each_of_their_answers() -> None:
    made = onnx.load_model_from_string(to_int8(network("MatMul of three axes"), ROWS))
    (node,) = (node for node in made.graph.node if node.output[0].startswith("cube"))
    assert [(own.name, own.i) for own in node.attribute] == [("axis", 2)]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(SMOOTH), min_size=2, max_size=4))
def test_chain_of_operators_means_the_same_in_fp16(steps: list[str]) -> None:
    payload = network(*steps)
    whole = graphs.Runner(payload).run(ROWS)
    # What sensors cannot bring about either: values that leave FP16, or lie where an operator has a pole.
    if np.isfinite(whole).all() and 1e-3 < np.abs(whole).max() < 1e3:
        assert parted(payload, to_fp16(payload)) < 0.05


@pytest.mark.parametrize("convert", [to_fp16, lambda payload: to_int8(payload, ROWS)], ids=["fp16", "int8"])
def test_network_that_gains_nothing_by_another_precision_says_so(convert: Any) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[n, 4] features) => (float[n, 1] y)'
    model = onnx.parser.parse_model(text + " { y = ReduceMean<axes = [1], keepdims = 1>(features) }")
    with pytest.raises(GraphError, match=r"expected a product \(Gemm, MatMul, Conv\) by a matrix of float32"):
        convert(model.SerializeToString())


def test_row_that_is_no_number_spans_nothing() -> None:
    payload, holed = network("Relu"), np.concatenate([ROWS, ROWS[:2]])
    holed[-2, 1], holed[-1, 2] = np.nan, np.inf
    assert to_int8(payload, holed) == to_int8(payload, ROWS)
    with pytest.raises(GraphError, match="expected rows of numbers to calibrate on, got none out of 2"):
        to_int8(payload, holed[-2:])


def test_value_that_becomes_no_number_is_named() -> None:
    model = onnx.load_model_from_string(network("Neg", "Log", "Gemm"))
    nodes = [node for node in model.graph.node if node.op_type != "Abs"]
    nodes[2].input[0] = "v1"  # the logarithm of what lies below 0
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    with pytest.raises(GraphError, match="v2 reaches nan on its dataset, expected numbers"):
        to_int8(model.SerializeToString(), ROWS)
