"""The C-MAPSS figures: which files are taken, and what is made of answers."""

from pathlib import Path

import numpy as np
import pytest

from cloud_hub.errors import DatasetError
from cloud_hub.training.bench_turbofan import Answers, coverage, errors, last_inputs, subsets
from models.examples import UNKNOWN, Examples

TRUTH = np.array([10.0, 40.0, 140.0, 90.0])
RIGHT = Answers(
    predicted=np.minimum(TRUTH, 125.0),
    low=TRUTH - 20,
    high=np.minimum(TRUTH, 125.0) + 20,
    truth=TRUTH,
    cap=125.0,
)


def test_any_subset_is_taken_by_the_path_of_its_folder_or_of_its_training_file(tmp_path: Path) -> None:
    folder = tmp_path / "cmapss"
    folder.mkdir()
    for name in ("train_FD003.txt", "test_FD003.txt", "train_FD001.txt.gz", "test_FD001.txt.gz"):
        (folder / name).touch()
    both = [folder / "train_FD001.txt.gz", folder / "train_FD003.txt"]
    assert subsets(tmp_path) == subsets(folder) == both
    assert subsets(folder / "train_FD003.txt") == both[1:]


def test_a_folder_without_training_files_or_without_a_test_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected C-MAPSS files such as train_FD001\.txt\.gz"):
        subsets(tmp_path)
    (tmp_path / "train_FD004.txt").touch()
    with pytest.raises(DatasetError, match=r"expected .*test_FD004\.txt beside"):
        subsets(tmp_path)


def test_a_perfect_capped_model_has_no_clip_error_and_a_raw_one() -> None:
    found = {row["figure"]: row["value"] for row in errors("x", "FD009", [RIGHT, RIGHT])}
    assert found["x: clip RMSE, mean"] == found["x: clip RMSE, deviation over seeds"] == 0
    assert found["x: raw RMSE, mean"] == pytest.approx(15 / 2)
    assert found["x: raw NASA score, mean"] == pytest.approx(np.expm1(15 / 13))


def test_a_subset_that_nobody_has_set_a_bar_for_is_told_without_one() -> None:
    assert not any("bar" in row for row in errors("x", "FD009", [RIGHT]))
    (row,) = [row for row in errors("x", "FD002", [RIGHT]) if "bar" in row]
    assert (row["figure"], row["bar"]) == ("x: clip RMSE, mean", "<= 10.8")


def test_coverage_is_held_against_the_band_of_as_many_units_from_both_sides() -> None:
    narrow = Answers(
        predicted=RIGHT.predicted, low=TRUTH + 1, high=RIGHT.high, truth=TRUTH, cap=125.0
    )  # no truth lies inside
    below, above, width = coverage("x", [narrow, RIGHT], 0.9)
    assert below["value"] == above["value"] == pytest.approx(0.5)
    assert (below["bar"], above["bar"]) == (">= 0.5", "<= 1")
    assert width["unit"] == "{cycle}"


def test_short_lives_go_by_what_was_predicted() -> None:
    late = Answers(
        predicted=np.array([10.0, 60.0, 125.0, 30.0]), low=TRUTH, high=TRUTH, truth=TRUTH, cap=125.0
    )
    assert late.below(50.0).truth.tolist() == [10.0, 90.0]


def units() -> Examples:
    """Two units, three readings each; the feature counts them."""
    rows = 6
    return Examples(
        machines=("a", "b"),
        sites=("x", "x"),
        faults=(),
        names=("count",),
        units=("1",),
        machine=np.repeat([0, 1], 3).astype(np.int32),
        times=np.arange(rows),
        life=np.ones(rows, np.int32),
        age=np.zeros(rows, np.float32),
        remaining=np.full(rows, np.nan, np.float32),
        health=np.full(rows, UNKNOWN, np.int8),
        fault=np.full(rows, UNKNOWN, np.int16),
        features=np.arange(rows, dtype=np.float32)[:, None],
    )


def test_a_unit_is_asked_about_after_its_last_reading() -> None:
    early = np.array([False, True, True, True, False, True])
    assert last_inputs(units(), units().where(early)).tolist() == [[2.0], [5.0]]


@pytest.mark.parametrize(
    ("answered", "sentence"),
    [
        ([1, 1, 1, 1, 1, 0], "of each of 2 test units, got none for 1, b first"),
        ([1, 1, 0, 1, 1, 1], "got none for 1, a first"),
        ([0, 0, 0, 1, 1, 1], "got none for 1, a first"),
        ([0, 0, 0, 0, 0, 0], "got none for 2, a first"),
    ],
)
def test_an_older_reading_is_no_answer_for_the_last(answered: list[int], sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        last_inputs(units(), units().where(np.array(answered, bool)))
