"""A network learns, is exported as plain ONNX, and answers there as it did here."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models import graphs, use_case
from models.errors import FitError, GraphError
from models.export import check_parity, export
from models.fitting import Fitted, fit
from models.use_case import UseCase

WIDTH = 6
NAMES = ("a.mean", "a.std", "b.mean", "b.std", "constant", "age")


@pytest.fixture(scope="module")
def quick() -> UseCase:
    found = use_case.find("turbofan-rul")
    budget = found.budget.model_copy(update={"epochs": 25, "batch": 128, "learning_rate": 1e-2})
    network = found.network.model_copy(update={"hidden": (32, 16), "dropout": 0.0})
    return found.model_copy(update={"budget": budget, "network": network})


def material(machines: int = 10, rows: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, remaining life, folds, healthy: the first features follow the remaining life."""
    rng = np.random.default_rng(5)
    left = np.tile(np.arange(rows)[::-1], machines).astype(np.float32) * 2
    features = rng.normal(size=(len(left), WIDTH)).astype(np.float32)
    features[:, 0] = np.exp(-left / 60) * 100 + rng.normal(0, 2, len(left))
    features[:, 4] = 7.5
    features[:, 5] = left.max() - left
    return features, left, np.repeat(np.arange(machines) % 5, rows), left > 120


@pytest.fixture(scope="module")
def fitted(quick: UseCase) -> Fitted:
    features, left, folds, healthy = material()
    return fit(features, left, folds, healthy, use_case=quick, names=NAMES)


@pytest.fixture(scope="module")
def graph(fitted: Fitted) -> bytes:
    return export(fitted.network, material()[0])


def test_member_answers_for_machines_it_has_not_learnt_from(fitted: Fitted) -> None:
    truth = np.minimum(material()[1], 125)
    error = np.sqrt(np.mean((fitted.unseen - truth) ** 2))
    assert error < 0.5 * truth.std()


def test_graph_uses_plain_operators_of_an_opset_that_devices_know(graph: bytes) -> None:
    facts = graphs.check(graph, width=WIDTH)
    assert facts.opset == 17
    assert set(facts.operators) <= {"Sub", "Mul", "Clip", "Gemm", "Relu", "Sum", "ReduceSum", "Sqrt"}
    assert [item.domain for item in onnx.load_model_from_string(graph).opset_import] == [""]


def test_graph_agrees_with_the_network_also_far_from_what_was_seen(fitted: Fitted, graph: bytes) -> None:
    wild = np.random.default_rng(1).normal(0, 1e4, (200, WIDTH)).astype(np.float32)
    check_parity(fitted.network, graph, wild)
    answers = graphs.Runner(graph).run(wild)
    assert ((answers[:, 0] >= 0) & (answers[:, 0] <= 125)).all()
    assert np.isfinite(answers).all()


def test_graph_of_another_network_is_not_taken_for_this_one(quick: UseCase, graph: bytes) -> None:
    features, left, folds, healthy = material()
    other = fit(features[:, ::-1].copy(), left, folds, healthy, use_case=quick, names=NAMES[::-1])
    with pytest.raises(GraphError, match=r"within 0.001 of PyTorch, got .* apart"):
        check_parity(other.network, graph, features)


def test_batch_of_one_is_answered_as_in_a_batch_of_many(graph: bytes) -> None:
    features, runner = material()[0][:20], graphs.Runner(graph)
    alone = np.concatenate([runner.run(row[None]) for row in features])
    np.testing.assert_allclose(alone, runner.run(features), rtol=1e-4, atol=1e-4)


def test_same_examples_give_the_same_bytes(quick: UseCase, graph: bytes) -> None:
    features, left, folds, healthy = material()
    again = fit(features, left, folds, healthy, use_case=quick, names=NAMES)
    assert export(again.network, features) == graph


def test_constant_feature_says_nothing_even_when_it_moves(graph: bytes) -> None:
    features, runner = material()[0][:50], graphs.Runner(graph)
    moved = features.copy()
    moved[:, 4] += 1000
    np.testing.assert_array_equal(runner.run(moved)[:, 0], runner.run(features)[:, 0])


def test_excluded_feature_does_not_make_an_anomaly(graph: bytes) -> None:
    """``age`` moves although nothing is wrong: turbofan-rul leaves it out of the distance."""
    features, runner = material()[0][:50], graphs.Runner(graph)
    moved = features.copy()
    moved[:, 5] += 500
    np.testing.assert_allclose(runner.run(moved)[:, 1], runner.run(features)[:, 1], rtol=1e-5)


def test_anomaly_is_below_one_for_the_healthy_and_above_for_the_strange(graph: bytes) -> None:
    features, _, _, healthy = material()
    runner = graphs.Runner(graph)
    assert (runner.run(features[healthy])[:, 1] < 1).mean() == pytest.approx(0.99, abs=0.01)
    strange = features[healthy].copy()
    strange[:, 1] += 10
    assert (runner.run(strange)[:, 1] > 1).all()


def test_features_that_never_vary_are_refused(quick: UseCase) -> None:
    _, left, folds, healthy = material()
    with pytest.raises(FitError, match="expected features that vary"):
        fit(np.ones((len(left), WIDTH), np.float32), left, folds, healthy, use_case=quick, names=NAMES)


def test_fold_without_a_known_life_is_refused(quick: UseCase) -> None:
    features, left, folds, healthy = material()
    left = np.where(folds == 3, np.nan, left).astype(np.float32)
    with pytest.raises(FitError, match="in every fold"):
        fit(features, left, folds, healthy, use_case=quick, names=NAMES)


def test_watcher_can_cancel(quick: UseCase) -> None:
    class CancelledError(Exception):
        pass

    seen = []

    def watch(share: float) -> None:
        seen.append(share)
        if len(seen) == 3:
            raise CancelledError

    features, left, folds, healthy = material()
    with pytest.raises(CancelledError):
        fit(features, left, folds, healthy, use_case=quick, names=NAMES, watch=watch)
    assert seen == sorted(seen)


def foreign(*, domain: str = "", inputs: str = "features", width: int = WIDTH, opset: int = 17) -> bytes:
    """A graph made elsewhere: both outputs are the sum of the features."""
    nodes = [
        helper.make_node("ReduceSum", [inputs, "axes"], [name], domain=domain, keepdims=1)
        for name in ("remaining_life", "anomaly")
    ]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["n", 1]) for node in nodes]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    value = helper.make_tensor_value_info(inputs, TensorProto.FLOAT, ["n", width])
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    built = helper.make_graph(nodes, "foreign", [value], outputs, [axes])
    return helper.make_model(built, opset_imports=imports, ir_version=8).SerializeToString()


def test_network_made_elsewhere_may_pass() -> None:
    assert graphs.check(foreign(), width=WIDTH).operators == ("ReduceSum",)


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "not an ONNX graph"),
        (b"\x93NUMPY nonsense", "not an ONNX graph"),
        (foreign(domain="com.microsoft"), "operators of ai.onnx only, got com.microsoft"),
        (foreign(domain="ai.onnx.ml"), "operators of ai.onnx only, got ai.onnx.ml"),
        (foreign(inputs="x"), r"the one input 'features', got \['x'\]"),
        (foreign(width=9), r"float32 features \[n, 6\], got type 1 \[0, 9\]"),
        (foreign(opset=20), "opset 17 or older, got 20"),
    ],
)
def test_network_that_no_device_should_run_is_refused(payload: bytes, sentence: str) -> None:
    with pytest.raises(GraphError, match=sentence):
        graphs.check(payload, width=WIDTH)


def test_graph_with_a_missing_output_is_refused() -> None:
    model = onnx.load_model_from_string(foreign())
    del model.graph.output[1]
    del model.graph.node[1]
    with pytest.raises(GraphError, match="expected the outputs remaining_life and anomaly"):
        graphs.check(model.SerializeToString(), width=WIDTH)


def test_weights_in_another_file_are_refused() -> None:
    model = onnx.load_model_from_string(foreign())
    axes = model.graph.initializer[0]
    axes.ClearField("int64_data")
    axes.data_location = TensorProto.EXTERNAL
    axes.external_data.add(key="location", value="../../etc/passwd")
    with pytest.raises(GraphError, match="weights inside the file"):
        graphs.check(model.SerializeToString(), width=WIDTH)
