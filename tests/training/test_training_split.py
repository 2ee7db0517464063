"""Whole machines, never rows: and the same ones every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.errors import DatasetError
from cloud_hub.training.split import ALWAYS, Kind, Split, deal, split
from models import use_case
from models.use_case import UseCase

TURBOFAN = use_case.find("turbofan-rul")
FAILED, RUNNING = Kind(group="failed", judges=True), Kind(group="running", judges=False)
names = st.sets(st.from_regex(r"pump-[0-9]{1,4}", fullmatch=True), min_size=4, max_size=80)


def fleet(failed: list[str], running: list[str] | None = None) -> dict[str, Kind]:
    return dict.fromkeys(failed, FAILED) | dict.fromkeys(running or [], RUNNING)


def classes(*, least_lives: int = 2) -> UseCase:
    """turbofan-rul as a question of which fault it is."""
    parts = {
        "task": "fault-class",
        "alarms": [],
        "faults": {"classes": ["a", "b"], "least_lives": least_lives},
    }
    return UseCase.model_validate(TURBOFAN.model_dump(exclude_unset=True) | parts)


@given(names, names)
def test_no_machine_is_on_two_sides(failed: set[str], others: set[str]) -> None:
    kinds = fleet(sorted(failed), sorted(others - failed))
    parts = split(kinds, TURBOFAN)
    assert not parts.held_out & parts.learning
    assert parts.held_out | parts.learning == failed | others
    assert len(parts.held_out & failed) >= 2
    folds = deal({name: kinds[name] for name in parts.learning}, TURBOFAN)
    assert folds.keys() == parts.learning
    assert (
        {folds[name] for name in parts.learning & failed}
        == {*folds.values()}
        == {*range(max(folds.values()) + 1)}
    )


def test_machine_on_both_sides_is_refused_by_name() -> None:
    with pytest.raises(DatasetError, match="every machine on one side, press-1 would learn and judge"):
        Split(held_out=frozenset({"press-1"}), learning=frozenset({"press-1", "press-2"}))


@given(names)
def test_split_does_not_depend_on_the_order_of_names(failed: set[str]) -> None:
    rising, falling = fleet(sorted(failed)), fleet(sorted(failed, reverse=True))
    assert split(rising, TURBOFAN) == split(falling, TURBOFAN)
    assert deal(rising, TURBOFAN) == deal(falling, TURBOFAN)


def test_share_of_machines_that_is_held_out_is_the_one_asked_for() -> None:
    kinds = fleet([f"engine-{n}" for n in range(100)])
    parts = split(kinds, TURBOFAN)
    assert len(parts.held_out) == 15
    folds = deal({name: kinds[name] for name in parts.learning}, TURBOFAN)
    assert set(np.bincount([*folds.values()])) == {17}


def test_most_held_out_machines_stay_so_while_the_fleet_grows() -> None:
    """Growing by a tenth, at least nine in ten of the held-out ones must not become teachers."""
    before = split(fleet([f"engine-{n}" for n in range(100)]), TURBOFAN).held_out
    after = split(fleet([f"engine-{n}" for n in range(110)]), TURBOFAN).held_out
    assert len(before & after) >= 0.9 * len(before)


def test_machines_that_judge_a_challenger_taught_its_champion_nothing_though_more_have_failed_since() -> None:
    """Forty machines of which six had failed at the first training; at the next all have."""
    names = [f"pump-{n}" for n in range(40)]
    before = split(fleet(names[:6], names[6:]), TURBOFAN)
    after = split(fleet(names), TURBOFAN)
    assert len(after.held_out) == 6
    assert after.held_out <= before.held_out
    grown = split(fleet([*names, "pump-40", "pump-41"]), TURBOFAN)
    assert len(grown.held_out & before.learning) <= 1


def test_machines_that_run_are_held_out_like_those_that_failed() -> None:
    names = [f"pump-{n}" for n in range(200)]
    parts = split(fleet(names[::2], names[1::2]), TURBOFAN)
    assert len(parts.held_out) == 30
    assert 8 <= len(parts.held_out & {*names[1::2]}) <= 22


def test_enough_that_failed_are_left_to_learn_from_however_they_rank() -> None:
    names = [f"pump-{n}" for n in range(60)]
    for failed in range(0, 56, 4):
        chosen = names[failed : failed + 4]
        parts = split(fleet(chosen, [name for name in names if name not in chosen]), TURBOFAN)
        assert len(parts.held_out & {*chosen}) == 2


def test_machines_without_a_label_yet_are_held_out_too_where_faults_are_told() -> None:
    kinds = {f"m-{n}": Kind(group="a", judges=True, fault=0) for n in range(20)}
    kinds |= {f"n-{n}": Kind(group="unlabelled", judges=False) for n in range(20)}
    held_out = split(kinds, classes()).held_out
    assert len([name for name in held_out if name.startswith("n-")]) == 3


def test_too_few_machines_are_refused_with_the_number_that_would_do() -> None:
    with pytest.raises(DatasetError, match=r"at least 4 machines that failed \(2 to judge on\), got 3"):
        split(fleet(["a", "b", "c"], ["d"]), TURBOFAN)


def test_use_cases_hold_out_machines_of_their_own() -> None:
    kinds = fleet([f"pump-{n}" for n in range(40)])
    other = TURBOFAN.model_copy(update={"name": "another"})
    assert split(kinds, TURBOFAN).held_out != split(kinds, other).held_out
    assert len(split(kinds, other).held_out) == 6


def test_every_fault_is_judged_and_every_fold_has_some_of_each() -> None:
    kinds = {
        f"{fault}-{n}": Kind(group=fault, judges=True, fault=place)
        for n in range(12)
        for place, fault in enumerate("ab")
    }
    parts = split(kinds, classes())
    assert {kinds[name].group for name in parts.held_out} == {*"ab"}
    folds = deal({name: kinds[name] for name in parts.learning}, classes())
    for fold in range(5):
        assert {kinds[name].group for name, own in folds.items() if own == fold} == {*"ab"}


def test_only_machine_of_its_class_teaches_all_and_judges_nothing() -> None:
    kinds = {f"m-{n}": Kind(group="a", judges=True, fault=0) for n in range(6)}
    kinds["sound"] = Kind(group="sound", judges=True)
    parts = split(kinds, classes())
    assert "sound" in parts.learning
    folds = deal({name: kinds[name] for name in parts.learning}, classes())
    assert [name for name, fold in folds.items() if fold == ALWAYS] == ["sound"]


def test_one_machine_cannot_teach_and_stop_the_learning() -> None:
    with pytest.raises(DatasetError, match="at least 2 machines to learn from and to stop on, got 1"):
        deal(fleet(["a"]), TURBOFAN)


def test_sound_machines_share_the_folds_where_anomaly_is_learnt() -> None:
    parts = {"task": "anomaly", "alarms": []}
    wanted = UseCase.model_validate(TURBOFAN.model_dump(exclude_unset=True) | parts)
    kinds = {f"m-{n}": Kind(group="sound", judges=False) for n in range(6)}
    kinds["m-6"] = Kind(group="faulty", judges=True)
    assert {*deal(kinds, wanted).values()} == {0, 1, 2, 3, 4}


def test_sound_machines_judge_an_anomaly_that_nobody_has_labelled_a_fault_for_yet() -> None:
    parts = {"task": "anomaly", "alarms": []}
    wanted = UseCase.model_validate(TURBOFAN.model_dump(exclude_unset=True) | parts)
    sound = {f"m-{n}": Kind(group="sound", judges=False) for n in range(8)}
    assert len(split(sound, wanted).held_out) == 2
    faulty = {"f-1": Kind(group="faulty", judges=True)}
    held_out = split(sound | faulty, wanted).held_out
    assert "f-1" in held_out
    assert len(held_out) == 2
    with pytest.raises(DatasetError, match="at least 4 machines with rows known to be sound"):
        split(dict(list(sound.items())[:3]), wanted)
