"""A graph from elsewhere ends, and takes no more memory than what it is for; told before it is run."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models import graph_bounds, graphs
from models.errors import GraphError
from wire import network

WIDTH = 6
Node = onnx.NodeProto


def model(*nodes: Node, weights: dict[str, Any] | None = None) -> onnx.ModelProto:
    """``nodes`` from "features" to "anomaly"."""
    tensors = [numpy_helper.from_array(np.asarray(own), name) for name, own in (weights or {}).items()]
    taken = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", WIDTH])
    told = helper.make_tensor_value_info("anomaly", TensorProto.FLOAT, ["n", 1])
    graph = helper.make_graph(list(nodes), "g", [taken], [told], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def op(kind: str, taken: Sequence[str], made: str, **attributes: Any) -> Node:
    return helper.make_node(kind, list(taken), [made], **attributes)


AXES = {"axes": np.array([1], np.int64)}
TOTAL = op("ReduceSum", ["wide", "axes"], "anomaly")


def endless() -> onnx.ModelProto:
    step = op("Identity", ["so_far"], "so_on")
    named = [
        helper.make_tensor_value_info(name, kind, [])
        for name, kind in (("i", TensorProto.INT64), ("go", TensorProto.BOOL))
    ]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in ("so_far", "so_on")]
    body = helper.make_graph([step], "body", [*named, value[0]], [named[1], value[1]])
    total = op("ReduceSum", ["features", "axes"], "total")
    loop = op("Loop", ["trips", "go", "total"], "anomaly", body=body)
    return model(total, loop, weights=AXES | {"trips": np.array(1 << 62), "go": np.array(True)})


def huge() -> onnx.ModelProto:
    made = op("ConstantOfShape", ["shape"], "zeros")
    top = op("ReduceMax", ["zeros"], "top", keepdims=0)
    add = op("Add", ["features", "top"], "wide")
    return model(made, top, add, TOTAL, weights=AXES | {"shape": np.array([700_000_000], np.int64)})


def broadcast() -> onnx.ModelProto:
    lines = np.ones((40_000, 1), np.float32)
    nodes = [op("Add", ["lines", "columns"], "much"), op("ReduceMax", ["much"], "top", keepdims=0)]
    more = {"lines": lines, "columns": lines.T}
    return model(*nodes, op("Add", ["features", "top"], "wide"), TOTAL, weights=AXES | more)


def doubled() -> onnx.ModelProto:
    nodes = [op("Concat", [f"x{k}"] * 2, f"x{k + 1}", axis=1) for k in range(40)]
    first = op("Identity", ["features"], "x0")
    return model(first, *nodes, op("ReduceSum", ["x40", "axes"], "anomaly"), weights=AXES)


def gathered() -> onnx.ModelProto:
    """None is large, and all are needed at the end."""
    wider = op("Gemm", ["features", "kernel"], "x0")
    nodes = [op("Relu", ["x0"], f"x{k}") for k in range(1, 1000)]
    total = op("Sum", [f"x{k}" for k in range(1, 1000)], "wide")
    weights = AXES | {"kernel": np.ones((WIDTH, 400), np.float32)}
    return model(wider, *nodes, total, TOTAL, weights=weights)


def late() -> onnx.ModelProto:
    """Nothing for a few rows."""
    nodes = [
        op("Slice", ["features", "first", "last", "rows"], "late"),
        op("Transpose", ["late"], "turned", perm=[1, 0]),
        op("MatMul", ["late", "turned"], "much"),
        op("ReduceMax", ["much"], "top", keepdims=0),
        op("Add", ["features", "top"], "wide"),
    ]
    places = {"first": [500], "last": [1 << 40], "rows": [0]}
    return model(
        *nodes, TOTAL, weights=AXES | {name: np.array(own, np.int64) for name, own in places.items()}
    )


def squared() -> onnx.ModelProto:
    turned = op("Transpose", ["features"], "turned", perm=[1, 0])
    return model(turned, op("MatMul", ["features", "turned"], "wide"), TOTAL, weights=AXES)


def padded() -> onnx.ModelProto:
    nodes = [
        op("Reshape", ["features", "shape"], "image"),
        op("Conv", ["image", "kernel"], "much", kernel_shape=[1], pads=[1 << 30, 0]),
        op("ReduceMax", ["much"], "wide", axes=[2], keepdims=0),
    ]
    more = {"shape": np.array([-1, 1, WIDTH], np.int64), "kernel": np.ones((1, 1, 1), np.float32)}
    return model(*nodes, TOTAL, weights=AXES | more)


def laborious() -> onnx.ModelProto:
    nodes = [op("MatMul", [f"x{k}", "x0"], f"x{k + 1}") for k in range(9)]
    nodes += [op("ReduceMax", ["x9"], "top", keepdims=0), op("Add", ["features", "top"], "wide")]
    return model(*nodes, TOTAL, weights=AXES | {"x0": np.ones((600, 600), np.float32)})


def sized_by_values() -> onnx.ModelProto:
    nodes = [
        op("Cast", ["features"], "places", to=TensorProto.INT64),
        op("Reshape", ["places", "flat"], "shape"),
        op("Reshape", ["features", "shape"], "wide"),
    ]
    return model(*nodes, TOTAL, weights=AXES | {"flat": np.array([-1], np.int64)})


def sparse() -> onnx.ModelProto:
    made = model(op("Add", ["features", "top"], "wide"), TOTAL, weights=AXES)
    values = helper.make_tensor("top", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("places", TensorProto.INT64, [1], [3])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 33]))
    return made


def claiming() -> onnx.ModelProto:
    made = model(op("Add", ["features", "top"], "wide"), TOTAL, weights=AXES | {"top": np.float32([1.0])})
    made.graph.initializer[1].dims[0] = 1 << 40
    return made


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (endless, "size of what goes in .*, got Loop at node "),
        (huge, "size of what goes in .*, got ConstantOfShape"),
        (broadcast, r"at most 16777216 numbers beside the rows, got more: much is \[40000, 40000\]"),
        (doubled, r"at most 131072 numbers a row, got more: x40 is "),
        (gathered, r"at most 131072 numbers a row, got more: x0 is \[1, 400\]"),
        (late, r"grow as the rows do, got late \[0, 6\] for one row and \[500, 6\] for 1000"),
        (squared, r"grow as the rows do, got wide \[1, 1\] for one row and \[1000, 1000\] for 1000"),
        (padded, r"at most 131072 numbers a row, got more: much is \[1, 1, 1073741830\]"),
        (laborious, "at most 1073741824 multiplications a row, got about 19"),
        (sized_by_values, "sizes are known beforehand, not so of 'wide'"),
        (sparse, "weights written out, got sparse ones"),
        (claiming, r"at most 16777216 weights a tensor, got \[1099511627776\]"),
    ],
)
def test_a_graph_that_hangs_or_fills_memory_is_refused_at_once(made: Any, sentence: str) -> None:
    payload = made().SerializeToString()
    began = time.process_time()
    with pytest.raises(GraphError, match=sentence):
        graphs.check(payload, width=WIDTH, outputs=["anomaly"])
    assert time.process_time() - began < 1


def test_the_largest_graph_is_judged_within_seconds() -> None:
    nodes = [op("Relu", [f"x{k}"], f"x{k + 1}") for k in range(graph_bounds.MOST_NODES)]
    made = model(op("ReduceSum", ["features", "axes"], "x0"), *nodes, weights=AXES)
    with pytest.raises(GraphError, match="at most 10000 operators, got 10001"):
        graph_bounds.check_operators(made.graph)
    del made.graph.node[-1]
    began = time.process_time()
    graph_bounds.check_operators(made.graph)
    graph_bounds.check_sizes(made, [WIDTH])
    assert time.process_time() - began < 5


def test_a_graph_is_never_given_more_rows_than_it_was_judged_by() -> None:
    runner = graphs.Runner(late_only().SerializeToString())
    rows = np.ones((2 * graph_bounds.MANY + 7, WIDTH), np.float32)
    assert runner.run(rows).tolist() == [[float(WIDTH)]] * len(rows)
    assert runner.run(rows[:0]).shape == (0, 1)


def late_only() -> onnx.ModelProto:
    """The sum of the features, and one more from the row on that nobody may see."""
    nodes = [
        op("ReduceSum", ["features", "axes"], "total"),
        op("Slice", ["features", "first", "last", "rows"], "late"),
        op("ReduceSum", ["late"], "more", keepdims=0),
        op("Add", ["total", "more"], "anomaly"),
    ]
    places = {"first": [graph_bounds.MANY], "last": [1 << 40], "rows": [0]}
    return model(*nodes, weights=AXES | {name: np.array(own, np.int64) for name, own in places.items()})


def test_what_the_file_says_of_its_sizes_is_not_believed() -> None:
    made = broadcast()
    made.graph.value_info.append(helper.make_tensor_value_info("much", TensorProto.FLOAT, [1, 1]))
    with pytest.raises(GraphError, match="got more: much is"):
        graph_bounds.check_sizes(made, [WIDTH])


def test_a_convolution_over_the_features_may_pass() -> None:
    nodes = [
        op("Reshape", ["features", "shape"], "image"),
        op("Conv", ["image", "kernel"], "found", pads=[1, 1]),
        op("Relu", ["found"], "lit"),
        op("MaxPool", ["lit"], "peaks", kernel_shape=[2], strides=[2]),
        op("Flatten", ["peaks"], "wide"),
    ]
    more = {"shape": np.array([-1, 1, WIDTH], np.int64), "kernel": np.ones((4, 1, 3), np.float32)}
    payload = model(*nodes, TOTAL, weights=AXES | more).SerializeToString()
    assert "Conv" in graphs.check(payload, width=WIDTH, outputs=["anomaly"]).operators


def test_hub_and_device_let_the_same_operators_pass() -> None:
    assert graph_bounds.OPERATORS == network.OPERATORS


def test_every_operator_of_the_list_exists() -> None:
    assert all(onnx.defs.has(name, 17, "") for name in graph_bounds.OPERATORS)
