"""The figures of bearing-fault: nothing is learnt from what is judged, and nothing but the bearing tells."""

from pathlib import Path

import numpy as np
import pytest

from cloud_hub.training import bench_bearing_windows as windows
from cloud_hub.training.bench_bearing import COMMON, across, loads, sides
from cloud_hub.training.bench_bearing_rig import ARCHIVE, Rig, read_rig
from cloud_hub.training.bench_shortcuts import JUDGED_LOAD, NONE, Shown
from models.use_case import UseCase, find


@pytest.fixture(scope="module")
def rig(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    truth = tmp_path_factory.mktemp("truth")
    return read_rig(recorded_data / ARCHIVE, truth, find("bearing-fault"), length=COMMON)


@pytest.fixture(scope="module")
def hasty() -> UseCase:
    found = find("bearing-fault")
    return found.model_copy(
        update={"budget": found.budget.model_copy(update={"epochs": 1, "members": 2, "folds": 2})}
    )


def test_no_recording_and_no_sample_is_both_learnt_from_and_judged(rig: Rig) -> None:
    learnt, judged = sides(rig)
    assert set(rig.load[judged & ~rig.sound]) == {JUDGED_LOAD}
    assert set(rig.load[learnt & ~rig.sound]) == {0, 1}
    first, last = np.flatnonzero(learnt & rig.sound), np.flatnonzero(judged & rig.sound)
    assert min(last) - max(first) > rig.sharing == 3
    assert len(first) == len(last)


def test_a_bearing_is_what_its_label_says(rig: Rig) -> None:
    assert len(rig.rows.machines) == 10
    assert rig.faults["cwru-normal"] == NONE
    assert rig.faults["cwru-ir014"] == "inner race"
    assert set(rig.size[rig.rows.machine == rig.rows.machines.index("cwru-or021at6")]) == {21}


def test_every_row_has_a_figure_of_its_own(rig: Rig, hasty: UseCase) -> None:
    found = [*loads(rig, hasty, (1,)), *across(rig, hasty, (1,), size=14, bar=">= 0.34")]
    assert len({row["figure"] for row in found}) == len(found)
    assert all(0 <= row["value"] <= 1 for row in found if row["unit"] == "1")
    assert [row["bar"] for row in found if row.get("bar")] == [">= 0.98", "<= 120", ">= 0.34", "<= 120"]


@pytest.mark.parametrize("held_out", [7, 14, 21])
def test_bearings_that_are_judged_have_no_say_in_how_long_windows_are(rig: Rig, held_out: int) -> None:
    found = [*windows.sides(rig, held_out)]
    assert not any((learnt & judged).any() for learnt, judged in found)
    one, other = sorted({7, 14, 21} - {held_out})
    assert [{*rig.size[learnt]} - {0} for learnt, _ in found] == [{one}, {other}, {one, other}]
    assert [{*rig.size[judged]} - {0} for _, judged in found] == [{other}, {one}, {one, other}]
    learnt, judged = found[2]
    assert {*rig.load[learnt & ~rig.sound]} == {0}
    assert {*rig.load[judged & ~rig.sound]} == {1}


def test_a_trial_is_right_or_wrong_about_every_window(rig: Rig, hasty: UseCase) -> None:
    assert all(0 <= accuracy <= 1 for accuracy in windows.trials(rig, hasty, held_out=7))


def test_of_lengths_as_good_as_the_best_the_longest_is_taken() -> None:
    assert windows.choose({8192: 0.80, 16384: 0.78}) == 8192
    assert windows.choose({8192: 0.80, 16384: 0.795}) == 16384
    assert windows.choose({8192: 0.70, 16384: 0.78}) == 16384


@pytest.mark.parametrize(("steps", "told"), [((0.1, 0.25), 1.0), ((0.1, 0.1), 0.5)])
def test_a_probe_tells_converters_apart_and_nothing_where_they_are_alike(
    steps: tuple[float, float], told: float
) -> None:
    rng, shown = np.random.default_rng(4), Shown()
    for load in (0, 1, JUDGED_LOAD):
        for step, fault in zip(steps, ("ball", "outer race"), strict=True):
            windows = (
                np.round(rng.normal(0, 3, (20, 1024)) / step + rng.uniform(-0.5, 0.5, (20, 1024))) * step
            )
            shown.take(windows, 12_000, fault, load)
    assert shown.accuracy(1) == pytest.approx(told, abs=0.25)
