import numpy as np
import pytest
from edge_models import FixedReleases, graph, release

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.model_inputs import Inputs
from edge_agent.predictions import Predictor
from edge_agent.runners.onnx import OnnxRunner


def test_outputs_stand_side_by_side_in_the_graphs_order() -> None:
    runner = OnnxRunner(graph(3, life=40.0, slope=2.0))
    assert (runner.width, runner.outputs) == (3, ("remaining_life", "anomaly"))
    answers = runner.run(np.array([[1, 0, 0], [5, 9, 9]], np.float32))
    np.testing.assert_allclose(answers, [[42, 0.25], [50, 0.25]])


@pytest.mark.parametrize("shape", [(1, 4), (3,), (2, 2)])
def test_other_features_are_refused_with_both_widths(shape: tuple[int, ...]) -> None:
    with pytest.raises(FeatureMismatchError, match=r"expected features of width 3, got \("):
        OnnxRunner(graph(3, life=1.0)).run(np.zeros(shape, np.float32))


def test_a_network_with_another_input_is_refused() -> None:
    with pytest.raises(InferenceError, match=r"expected one input 'features', got \['x'\]"):
        OnnxRunner(graph(3, life=1.0, name="x"))


def test_what_is_no_network_is_refused_in_one_line() -> None:
    with pytest.raises(InferenceError, match="cannot be loaded") as error:
        OnnxRunner(b"not a network")
    assert "\n" not in str(error.value)


def test_one_row_answers_like_a_stack_of_rows() -> None:
    runner = OnnxRunner(graph(5, life=3.0, slope=-1.5))
    rows = np.random.default_rng(2).normal(size=(20, 5)).astype(np.float32)
    one_by_one = np.concatenate([runner.run(row[None, :]) for row in rows])
    np.testing.assert_allclose(one_by_one, runner.run(rows), rtol=1e-6)


def test_a_feature_that_is_no_number_is_never_asked_of_a_network() -> None:
    releases = FixedReleases(release(("a", "b"), 1, life=60.0))
    row = np.array([1.0, np.nan], np.float32)
    predictor = Predictor(releases)
    answer = predictor.predict("engine-life", releases.now, lambda _: Inputs(names=("a", "b"), row=row))
    assert answer.prediction is None
    assert answer.error == "engine-life/1: expected finite features, got b that is none"
