"""Golden inputs reach where executions part: the ends of features and answers, rare conditions, worn-out machines."""

from dataclasses import replace

import numpy as np
import pytest
from compiler_networks import Drawn, draw

from cloud_hub.compiler.golden import COUNT, choose
from models import graphs, use_case

TURBOFAN = use_case.find("turbofan-rul")


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw(TURBOFAN, width=8)


def holds(golden: np.ndarray, row: np.ndarray) -> bool:
    return bool((golden == row).all(axis=1).any())


def test_both_ends_of_every_feature_are_asked_about(drawn: Drawn) -> None:
    features = drawn.rows.features
    golden = choose(drawn.rows)
    assert len(golden) <= COUNT
    for end in (features.argmin(axis=0), features.argmax(axis=0)):
        assert all(holds(golden, features[row]) for row in end)


def test_one_wild_sensor_does_not_take_all_the_places(drawn: Drawn) -> None:
    features = drawn.rows.features.copy()
    features[:100, 0] += np.linspace(1e4, 1e6, 100, dtype=np.float32) * features[:, 0].std()
    golden = choose(replace(drawn.rows, features=features))
    for place in range(1, features.shape[1]):
        assert holds(golden, features[features[:, place].argmax()])
        assert holds(golden, features[features[:, place].argmin()])


def test_both_ends_of_every_answer_are_asked_about(drawn: Drawn) -> None:
    answers = graphs.Runner(drawn.onnx, TURBOFAN.outputs).run(drawn.rows.features)
    golden = choose(drawn.rows, answers=answers)
    for end in (answers.argmin(axis=0), answers.argmax(axis=0)):
        assert all(holds(golden, drawn.rows.features[row]) for row in end)


def test_rarest_conditions_are_asked_about(drawn: Drawn) -> None:
    features, groups = drawn.rows.features, np.zeros(len(drawn.rows), np.int64)
    plain = choose(drawn.rows)
    rare = [row for row in range(len(features)) if not holds(plain, features[row])][:2]
    groups[rare] = [7, 8]
    golden = choose(drawn.rows, groups=groups)
    assert all(holds(golden, features[row]) for row in rare)


def test_half_of_them_follow_the_machines_to_their_end(drawn: Drawn) -> None:
    left = drawn.rows.remaining
    golden = choose(drawn.rows)
    asked = np.sort([float(left[(drawn.rows.features == row).all(axis=1)][0]) for row in golden])
    assert asked[0] == 0.0
    assert asked[-1] == left.max()
    assert np.diff(asked).max() < 0.1 * left.max()


def test_equal_examples_give_equal_inputs_each_once(drawn: Drawn) -> None:
    golden = choose(drawn.rows)
    assert len(np.unique(golden, axis=0)) == len(golden)
    np.testing.assert_array_equal(golden, choose(drawn.rows))


@pytest.mark.parametrize("rows", [1, 5])
def test_few_rows_are_all_asked_about(rows: int, drawn: Drawn) -> None:
    assert len(choose(drawn.rows.where(np.arange(len(drawn.rows)) < rows))) == rows
