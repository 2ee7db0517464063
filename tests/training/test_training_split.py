"""Whole machines, never rows: and the same ones every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.errors import DatasetError
from cloud_hub.training.split import split
from models import use_case

TURBOFAN = use_case.find("turbofan-rul")
names = st.sets(st.from_regex(r"pump-[0-9]{1,4}", fullmatch=True), min_size=4, max_size=80)


@given(names, names)
def test_no_machine_is_on_two_sides(failed: set[str], others: set[str]) -> None:
    parts = split(sorted(failed), sorted(others - failed), TURBOFAN)
    places = [parts.held_out, *parts.folds]
    assert sum(map(len, places)) == len(failed | others) == len(frozenset().union(*places))
    assert parts.held_out <= failed
    assert all(fold & failed for fold in parts.folds)
    assert all(name in parts.folds[parts.fold_of(name)] for name in parts.learning)


@given(names)
def test_split_does_not_depend_on_the_order_of_names(failed: set[str]) -> None:
    assert split(sorted(failed), [], TURBOFAN) == split(sorted(failed, reverse=True), [], TURBOFAN)


def test_share_of_machines_that_is_held_out_is_the_one_asked_for() -> None:
    parts = split([f"engine-{n}" for n in range(100)], [], TURBOFAN)
    assert len(parts.held_out) == 15
    assert {len(fold) for fold in parts.folds} == {17}


def test_most_held_out_machines_stay_so_while_the_fleet_grows() -> None:
    """Growing by a tenth, at least nine in ten of the held-out ones must not become teachers."""
    before = split([f"engine-{n}" for n in range(100)], [], TURBOFAN).held_out
    after = split([f"engine-{n}" for n in range(110)], [], TURBOFAN).held_out
    assert len(before & after) >= 0.9 * len(before)


def test_too_few_machines_are_refused_with_the_number_that_would_do() -> None:
    with pytest.raises(DatasetError, match=r"at least 4 machines that failed \(2 to judge on\), got 3"):
        split(["a", "b", "c"], ["d"], TURBOFAN)


def test_use_cases_hold_out_machines_of_their_own() -> None:
    machines = [f"pump-{n}" for n in range(40)]
    other = TURBOFAN.model_copy(update={"name": "another"})
    assert split(machines, [], TURBOFAN).held_out != split(machines, [], other).held_out
    assert np.isclose(len(split(machines, [], other).held_out), 6)
