"""Predictions made by devices are matched with what happened afterwards."""

from datetime import UTC, datetime, timedelta

import pytest

from cloud_hub.errors import DatasetError
from cloud_hub.training.baselines import Baselines
from cloud_hub.training.foresight import Predicted, judge, read_truths
from models import use_case

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
MOTOR, TURBOFAN = use_case.find("motor-health"), use_case.find("turbofan-rul")
GUESSES = Baselines(mean=100.0, ages=(0.0, 500.0), by_age=(200.0, 0.0))


def said(machine: str, hours: float, life: float, *, spread: float = 10.0) -> Predicted:
    time = BEGIN + timedelta(hours=hours)
    return Predicted(
        machine=machine, time=time, remaining_life=life, lower=life - spread, upper=life + spread
    )


def life(machine: str, start: float, failure: float | None) -> dict:
    at = [
        None if hours is None else (BEGIN + timedelta(hours=hours)).isoformat() for hours in (start, failure)
    ]
    return {"machine": machine, "start": at[0], "failure": at[1], "mode": "outer race"}


def test_predictions_count_within_the_life_they_were_made_in() -> None:
    truths = read_truths([life("p1", 0, 100), life("p1", 110, 400)])
    found = judge(truths, [said("p1", 90, 12), said("p1", 105, 1), said("p1", 300, 95)], GUESSES, MOTOR)
    assert found.predictions == 2
    assert found.raw.mae == pytest.approx((2 + 5) / 2)
    assert found.coverage == 1.0


def test_life_that_did_not_fail_says_nothing() -> None:
    truths = read_truths([life("p1", 0, None), life("p2", 0, 50)])
    found = judge(truths, [said("p1", 10, 3), said("p2", 10, 40)], GUESSES, MOTOR)
    assert (found.predictions, found.machines) == (1, 1)


def test_test_set_is_scored_at_the_last_prediction_of_each_machine() -> None:
    truths = read_truths([{"machine": "e1", "remaining_life": 20}, {"machine": "e2", "remaining_life": 140}])
    predictions = [said("e1", 1, 90), said("e1", 2, 23), said("e2", 1, 125)]
    found = judge(truths, predictions, GUESSES, TURBOFAN)
    assert found.predictions == 2
    assert found.clip.mae == pytest.approx(1.5)
    assert found.raw.mae == pytest.approx((3 + 15) / 2)
    assert list(found.baselines) == ["mean remaining life"]  # ages are not known here


def test_trivial_guesses_are_scored_on_the_same_rows() -> None:
    found = judge(read_truths([life("p1", 0, 300)]), [said("p1", 250, 45)], GUESSES, MOTOR)
    assert found.baselines == {"mean remaining life": 50.0, "remaining life by age": 50.0}


def test_machine_without_a_prediction_is_named() -> None:
    truths = read_truths([life("p1", 0, 100), life("p2", 0, 100)])
    assert judge(truths, [said("p1", 50, 45)], GUESSES, MOTOR).unforeseen == ("p2",)


def test_no_match_at_all_is_an_error() -> None:
    with pytest.raises(DatasetError, match="predictions of 1 machines, got none"):
        judge(read_truths([life("p1", 0, 100)]), [said("p9", 50, 45)], GUESSES, MOTOR)


def test_life_in_time_does_not_fit_a_use_case_that_counts_readings() -> None:
    with pytest.raises(DatasetError, match="counts readings"):
        judge(read_truths([life("e1", 0, 100)]), [said("e1", 50, 45)], GUESSES, TURBOFAN)


@pytest.mark.parametrize(
    "row", [{}, {"machine": "p"}, {"remaining_life": 3}, {"machine": "p", "remaining_life": "soon"}]
)
def test_truth_that_is_none_is_named_by_its_line(row: dict) -> None:
    with pytest.raises(DatasetError, match="line 2"):
        read_truths([life("p1", 0, 100), row])
