"""A network in another precision is taken along where it answers as float32 does and is no worse; else by no means."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
import pytest
from compiler_networks import Drawn, draw
from onnx import TensorProto, helper, numpy_helper

from cloud_hub.compiler.half import to_fp16
from cloud_hub.compiler.quantised import to_int8
from cloud_hub.compiler.variants import Held, Variant, weigh
from cloud_hub.flows.precisions import no_worse
from models import graphs, use_case
from models.examples import Examples
from models.use_case import UseCase
from wire.network import check_network

YES = Held(passed=True, found="as good", bar="as good")
TURBOFAN = use_case.find("turbofan-rul")


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw(TURBOFAN)


def weighed(drawn: Drawn, precisions: Sequence[str], *, learning: Examples | None = None) -> list[Variant]:
    rows = drawn.rows
    found = weigh(
        drawn.manifest,
        drawn.onnx,
        precisions,
        golden=rows.features[:64],
        learning=rows if learning is None else learning,
        held_out=rows,
        judge=no_worse(rows, TURBOFAN),
    )
    return list(found)


def made(kind: str, drawn: Drawn) -> onnx.ModelProto:
    payload = to_fp16(drawn.onnx) if kind == "fp16" else to_int8(drawn.onnx, drawn.rows.features)
    model = onnx.load_model_from_string(payload)
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.mark.parametrize("name", use_case.names())
def test_both_precisions_of_every_shipped_network_are_taken_by_hub_and_device(name: str) -> None:
    found = use_case.find(name)
    drawn = draw(found)
    for payload in (to_fp16(drawn.onnx), to_int8(drawn.onnx, drawn.rows.features)):
        facts = graphs.check(payload, width=len(drawn.manifest.inputs), outputs=found.outputs)
        check_network(payload)
        assert "Gemm" in facts.operators


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_equal_networks_give_equal_bytes(kind: str, drawn: Drawn) -> None:
    assert made(kind, drawn).SerializeToString(deterministic=True) == made(kind, drawn).SerializeToString(
        deterministic=True
    )


def test_fp16_is_what_multiplies_by_weights_and_nothing_before_or_behind(drawn: Drawn) -> None:
    graph = onnx.shape_inference.infer_shapes(made("fp16", drawn)).graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    assert {node.op_type for node in graph.node if types.get(node.output[0]) == TensorProto.FLOAT16} == {
        "Cast",
        "Gemm",
        "Relu",
    }
    halves = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    assert halves
    assert all(name.split(".")[-2] in {"weight", "bias"} for name in halves)
    borders = [*graph.input, *graph.output]
    assert {value.type.tensor_type.elem_type for value in borders} == {TensorProto.FLOAT}


def test_activation_of_what_sensors_say_stays_float32() -> None:
    nodes = [
        helper.make_node("Relu", ["features"], ["raw"], name="raw"),
        helper.make_node("Mul", ["raw", "small"], ["normal"], name="normal"),
        helper.make_node("Gemm", ["normal", "w"], ["life"], name="life"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("life", TensorProto.FLOAT, ["n", 1])],
        [
            numpy_helper.from_array(np.array([1e-6], np.float32), "small"),
            numpy_helper.from_array(np.ones((2, 1), np.float32), "w"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    half = onnx.load_model_from_string(to_fp16(model.SerializeToString()))
    assert [node.op_type for node in half.graph.node] == ["Relu", "Mul", "Cast", "Gemm", "Cast"]


def test_no_weight_is_carried_twice(drawn: Drawn) -> None:
    assert len(made("fp16", drawn).SerializeToString()) < 0.6 * len(drawn.onnx)
    assert len(made("int8", drawn).SerializeToString()) < 0.4 * len(drawn.onnx)


def test_sensor_values_that_fp16_cannot_hold_do_no_harm(drawn: Drawn) -> None:
    rows = drawn.rows.features * np.float32(1e6)
    outputs = TURBOFAN.outputs
    whole, half = (graphs.Runner(each, outputs).run(rows) for each in (drawn.onnx, to_fp16(drawn.onnx)))
    assert np.isfinite(half).all()
    np.testing.assert_allclose(half, whole, rtol=0.01, atol=0.3)


def test_int8_is_symmetric_with_a_scale_for_each_channel(drawn: Drawn) -> None:
    model = made("int8", drawn)
    numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert all(not values.any() for name, values in numbers.items() if name.endswith(".zero"))
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in numbers:
            weights, scales = numbers[node.input[0]], numbers[node.input[1]]
            axis = next(own.i for own in node.attribute if own.name == "axis")
            assert weights.dtype == np.int8
            assert scales.shape == (weights.shape[axis],)
            others = tuple(place for place in range(weights.ndim) if place != axis)
            assert (np.abs(weights.astype(int)).max(axis=others) == 127).all()


def test_what_proves_itself_is_taken_and_says_how_far_off_it_is(drawn: Drawn) -> None:
    half, eight = weighed(drawn, ["fp16", "int8"])
    assert half.taken
    assert eight.taken
    assert half.told().startswith("yes: ")
    assert "RMSE" in half.told()
    assert 0 < half.golden.farthest.share < eight.golden.farthest.share < 1


def overflowing(drawn: Drawn) -> Drawn:
    """The same answers by weights that FP16 can hold, through values that it cannot: far up, and down again."""
    model = onnx.load_model_from_string(drawn.onnx)
    scale = {"life0.0.weight": 1e5, "life0.0.bias": 1e5, "life0.2.weight": 1e-3, "life0.2.bias": 1e2}
    scale |= {"life0.4.weight": 1e-2}
    for tensor in model.graph.initializer:
        if tensor.name in scale:
            values = numpy_helper.to_array(tensor) * np.float32(scale[tensor.name])
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return Drawn(onnx=model.SerializeToString(), manifest=drawn.manifest, rows=drawn.rows)


def test_network_that_fp16_overflows_in_is_left_out_by_name(drawn: Drawn) -> None:
    strange = overflowing(drawn)
    rows = strange.rows.features[:64]
    # ONNX Runtime on a CPU does not show it: it computes in float32 and drops the rounding between.
    np.testing.assert_allclose(
        graphs.Runner(to_fp16(strange.onnx), TURBOFAN.outputs).run(rows),
        graphs.Runner(drawn.onnx, TURBOFAN.outputs).run(rows),
        rtol=0.05,
        atol=1.0,
    )
    (half,) = weighed(strange, ["fp16"])
    assert not half.taken
    assert re.match(r"left out: life0\.0 reaches \S+ on its dataset, expected at most 32752", half.told())


def test_network_that_fp16_overflows_in_on_golden_inputs_alone_is_left_out_too(drawn: Drawn) -> None:
    (half,) = weighed(overflowing(drawn), ["fp16"], learning=still(drawn))
    assert not half.taken
    assert half.golden is not None
    assert half.golden.farthest.output == "remaining_life"
    assert half.told().startswith("left out: ")
    assert "remaining_life" in half.told()


def still(drawn: Drawn) -> Examples:
    """Rows of machines that never move from the mean."""
    rows = np.repeat(drawn.rows.features.mean(axis=0, keepdims=True), len(drawn.rows), axis=0)
    return replace(drawn.rows, features=rows.astype(np.float32))


def test_int8_that_was_calibrated_on_too_little_is_left_out(drawn: Drawn) -> None:
    (eight,) = weighed(drawn, ["int8"], learning=still(drawn))
    assert not eight.golden.agrees
    assert not eight.taken


def test_variant_that_the_held_out_machines_find_worse_is_left_out(drawn: Drawn) -> None:
    no = Held(passed=False, found="RMSE 20 cycle, in float32 10 cycle", bar="<= 1.05 x")
    rows = drawn.rows
    kept = {"golden": rows.features[:64], "learning": rows, "held_out": rows}
    (half,) = weigh(drawn.manifest, drawn.onnx, ["fp16"], judge=lambda *_: no, **kept)
    assert not half.taken
    assert half.told() == "left out: RMSE 20 cycle, in float32 10 cycle; asked <= 1.05 x"


def test_network_made_elsewhere_that_cannot_be_quantised_is_released_without(drawn: Drawn) -> None:
    model = onnx.load_model_from_string(drawn.onnx)
    model.opset_import[0].version = 12  # which knows no scale for each channel
    reduced = next(node for node in model.graph.node if node.op_type == "ReduceSum")
    del reduced.input[1]
    reduced.attribute.append(helper.make_attribute("axes", [1]))
    old = Drawn(onnx=model.SerializeToString(), manifest=drawn.manifest, rows=drawn.rows)
    half, eight = weighed(old, ["fp16", "int8"])
    assert half.taken
    assert not eight.taken
    assert eight.told().startswith("left out: ONNX Runtime cannot load the graph")


def test_whatever_goes_wrong_with_a_variant_leaves_that_one_out_alone(drawn: Drawn) -> None:
    def broken(own: np.ndarray, whole: np.ndarray) -> Held:
        raise ValueError("no class twice")

    rows, small = drawn.rows, drawn.rows.where(np.zeros(len(drawn.rows), bool))
    kept = {"golden": rows.features[:64], "held_out": rows, "judge": broken}
    half, eight = weigh(drawn.manifest, drawn.onnx, ["fp16", "int8"], learning=rows, **kept)
    assert not half.taken
    assert half.told() == eight.told() == "left out: it could not be weighed: ValueError: no class twice"
    (eight,) = weigh(drawn.manifest, drawn.onnx, ["int8"], learning=small, **kept)
    assert eight.told() == "left out: expected rows of numbers to calibrate on, got none out of 0"


def test_names_of_a_network_made_elsewhere_spoil_neither_terminal_nor_database(drawn: Drawn) -> None:
    strange = onnx.load_model_from_string(overflowing(drawn).onnx)
    for node in strange.graph.node:
        for names in (node.input, node.output):
            names[:] = [
                name.replace("life0.0", "\x1b[2J\0\n") if ".w" not in name else name for name in names
            ]
    for tensor in strange.graph.initializer:
        tensor.name = (
            tensor.name.replace("life0.0", "\x1b[2J\0\n") if ".w" not in tensor.name else tensor.name
        )
    (half,) = weighed(
        Drawn(onnx=strange.SerializeToString(), manifest=drawn.manifest, rows=drawn.rows), ["fp16"]
    )
    assert half.told().startswith("left out: ?[2J? reaches ")
    assert half.told().isprintable()


# ------------------------------------------------------------------ the judge


def answers(found: UseCase, rows: Examples, *, worse: float) -> np.ndarray:
    """What says the truth but for ``worse``: an error in life, and a share of rows that are told wrong."""
    rng = np.random.default_rng(0)
    wrong = rng.random(len(rows)) < worse
    columns = {
        "remaining_life": np.clip(
            np.minimum(rows.remaining, found.life.cap) + (5 + 50 * worse) * np.sin(np.arange(len(rows))),
            0,
            found.life.cap,
        ),
        "anomaly": np.where((rows.health == 1) ^ wrong, 1.5, 0.5),
    }
    for place, name in enumerate(name for name in found.outputs if name.startswith("fault_")):
        right = np.where(rows.fault == place, 0.9, 0.02)
        columns[name] = np.where(wrong, 0.02 if name.endswith("ball") else 0.45, right)
    return np.stack([columns[name] for name in found.outputs], axis=1).astype(np.float32)


@pytest.mark.parametrize("name", use_case.names())
def test_variant_is_judged_by_the_gates_own_figure_of_its_task(name: str) -> None:
    found = use_case.find(name)
    rows = draw(found).rows
    judge = no_worse(rows, found)
    good, bad = (answers(found, rows, worse=worse) for worse in (0.0, 0.4))
    assert judge(good, good).passed
    assert judge(good, bad).passed
    refused = judge(bad, good)
    assert not refused.passed
    assert "in float32" in refused.found
    assert "1.05 x" in refused.bar


def test_answers_that_are_no_number_are_never_no_worse(drawn: Drawn) -> None:
    good = answers(TURBOFAN, drawn.rows, worse=0.0)
    holed = good.copy()
    holed[3] = np.nan
    found = no_worse(drawn.rows, TURBOFAN)(holed, good)
    assert (found.passed, found.found) == (False, "answers that are no number")

    found = no_worse(drawn.rows, TURBOFAN)(good, holed)
    assert (found.passed, found.found) == (False, "answers in float32 that are no number")


@pytest.mark.parametrize("machines", [0, 1])
def test_fewer_held_out_machines_than_the_gate_asks_for_prove_nothing(machines: int, drawn: Drawn) -> None:
    few = drawn.rows.where(drawn.rows.machine < machines)
    good = answers(TURBOFAN, few, worse=0.0)
    found = no_worse(few, TURBOFAN)(good, good)
    assert not found.passed
    assert (found.found, found.bar) == (f"machines held out whose truth is known: {machines}", ">= 2")


def test_product_by_a_matrix_is_quantised_along_its_columns() -> None:
    weights = np.array([[1.0, -2.0], [0.5, 4.0]], np.float32)
    nodes = [
        helper.make_node("MatMul", ["features", "w"], ["both"], name="both"),
        helper.make_node("ReduceSum", ["both", "axes"], ["life"], name="life", keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("life", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([1], np.int64), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rows = np.array([[1.0, 2.0], [-3.0, 0.25]], np.float32)
    eight = to_int8(model.SerializeToString(), rows)
    (scales,) = (
        numpy_helper.to_array(tensor)
        for tensor in onnx.load_model_from_string(eight).graph.initializer
        if tensor.name == "w.int8.1.scale"
    )
    np.testing.assert_allclose(scales, np.array([1.0, 4.0]) / 127, rtol=1e-6)
    found = graphs.Runner(eight).run(rows)
    np.testing.assert_allclose(found, graphs.Runner(model.SerializeToString()).run(rows), atol=0.15)


def test_weights_that_stand_in_several_products_mean_the_same_in_each() -> None:
    """ONNX Runtime can neither fuse these, nor add them up in 16 bits without saturation."""
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.4, (4, 4)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["features", "w"], ["first"]),
        helper.make_node("Relu", ["first"], ["bent"]),
        helper.make_node("MatMul", ["bent", "w"], ["second"]),
        helper.make_node("ReduceSum", ["second", "axes"], ["life"], keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("life", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([1], np.int64), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rows = rng.normal(0, 1, (64, 4)).astype(np.float32)
    expected = graphs.Runner(model.SerializeToString()).run(rows)
    found = graphs.Runner(to_int8(model.SerializeToString(), rows)).run(rows)
    assert np.abs(found - expected).max() <= 0.03 * np.ptp(expected)
