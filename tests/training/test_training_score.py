"""Errors are counted as the literature counts them, in both conventions."""

import numpy as np
import pytest

from cloud_hub.training import baselines
from cloud_hub.training.score import nasa_score, rmse, score
from cloud_hub.training.scorecard import measure
from kernels.interval import Interval
from models.examples import UNKNOWN, Examples


def examples(remaining: list[float], machine: list[int] | None = None) -> Examples:
    count = len(remaining)
    index = np.array(machine or [0] * count, np.int32)
    age = np.concatenate([np.arange((index == m).sum()) for m in np.unique(index)])
    return Examples(
        machines=tuple(f"m{n}" for n in range(index.max() + 1)),
        sites=("plant-1",) * (int(index.max()) + 1),
        faults=(),
        names=("a",),
        units=("1",),
        machine=index,
        times=np.arange(count, dtype=np.int64),
        life=np.ones(count, np.int32),
        age=age.astype(np.float32),
        remaining=np.array(remaining, np.float32),
        health=np.full(count, UNKNOWN, np.int8),
        fault=np.full(count, -1, np.int16),
        features=np.zeros((count, 1), np.float32),
    )


def test_late_predictions_cost_more_than_early_ones() -> None:
    assert nasa_score([10.0]) == pytest.approx(np.e - 1)
    assert nasa_score([-13.0]) == pytest.approx(np.e - 1)
    assert nasa_score([20.0]) > nasa_score([-20.0])
    assert nasa_score([0.0]) == 0


def test_clip_forgives_a_healthy_machine_and_raw_does_not() -> None:
    predicted, truth = [125.0, 20.0], [180.0, 20.0]
    assert score(predicted, truth, cap=125.0).rmse == 0
    assert score(predicted, truth, cap=None).rmse == pytest.approx(rmse([55.0, 0.0]))


def test_every_machine_weighs_the_same() -> None:
    card = measure(
        examples([10, 10, 10, 10], [0, 0, 0, 1]), np.array([12.0, 12.0, 12.0, 14.0]), cap=125.0, unit="h"
    )
    assert card.loss == (4.0, 16.0)
    assert card.figure == pytest.approx(np.sqrt(10))
    assert card.only(["m1"]).figure == 4.0


@pytest.mark.parametrize("answer", [np.nan, np.inf, -np.inf, -5.0, 300.0])
def test_unsound_answer_is_wrong_by_the_whole_cap(answer: float) -> None:
    card = measure(examples([10, 10]), np.array([10.0, answer]), cap=125.0, unit="h")
    assert card.unsound == 0.5
    assert card.figure == pytest.approx(np.sqrt(125**2 / 2))


def test_coverage_counts_truths_inside_the_interval() -> None:
    table = Interval(coverage=0.9, edges=(0.0,), lower=(2.0,), upper=(3.0,))
    card = measure(
        examples([10, 20, 30, 40]), np.array([11.0, 18.0, 33.0, 36.0]), cap=125.0, unit="h", interval=table
    )
    assert card.coverage == 0.5
    assert card.width == 5.0


def test_trivial_guesses_come_from_lives_not_from_rows() -> None:
    """A long life has many rows and is still one life."""
    learnt = examples([*range(99, -1, -1), 1, 0], [0] * 100 + [1] * 2)
    found = baselines.learn(learnt, cap=125.0)
    assert found.mean == pytest.approx((49.5 + 0.5) / 2)
    guess = found.guess(np.array([0.0, 50.0, 500.0]))
    assert guess[baselines.AGE][0] == pytest.approx((99 + 1) / 2)
    assert guess[baselines.AGE][1] == pytest.approx(49, abs=0.5)
    assert guess[baselines.AGE][2] == pytest.approx(0)
