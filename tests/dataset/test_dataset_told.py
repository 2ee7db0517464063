"""What is told of a dataset without opening its file: how values lie, what findings mean, what changed."""

import re
from dataclasses import replace
from inspect import getsource

import numpy as np
import pytest

from cloud_hub.dataset import findings, manifest_difference, meanings
from cloud_hub.dataset.distributions import BINS, ENOUGH, distributions
from cloud_hub.dataset.manifest_difference import Change
from models.examples import Examples
from tests.dataset.dataset_found import found, pumps


def examples(values: np.ndarray) -> Examples:
    made = found([range(20)], [np.zeros((20, 2))], use_case=pumps()).examples
    rows = np.arange(len(values)) % 20
    return replace(made.where(rows), features=np.stack([values] * 2, axis=1).astype(np.float32))


def test_counts_are_of_bins_of_equal_width_and_of_what_lies_beyond() -> None:
    values = np.concatenate([np.linspace(0, 10, 9980), [-1e9] * 10, [1e9] * 10])
    lies = distributions(examples(values))
    assert set(lies) == set(examples(values).names)
    (own, _) = lies.values()
    assert sum(own["counts"]) + own["below"] + own["above"] == len(values)
    assert len(own["counts"]) == BINS
    assert -0.01 <= own["low"] < own["median"] < own["high"] <= 10.01  # wild readings flatten nothing
    assert max(own["counts"]) < 1.2 * min(own["counts"])
    assert own["median"] == pytest.approx(5, abs=0.01)
    assert own["below"] >= 10 <= own["above"]


def test_what_never_changes_is_one_bar() -> None:
    (own, _) = distributions(examples(np.full(500, 4.2))).values()
    assert own == {"low": 4.2, "high": 4.2, "median": 4.2, "counts": [500], "below": 0, "above": 0}
    (mostly, _) = distributions(examples(np.concatenate([np.full(999, 4.0), [7.0]]))).values()
    assert (mostly["counts"], mostly["above"]) == ([999], 1)


def test_more_rows_than_needed_are_thinned_evenly() -> None:
    values = np.tile([0.0, 1.0, 2.0], ENOUGH)
    (own, _) = distributions(examples(values)).values()
    counted = sum(own["counts"]) + own["below"] + own["above"]
    assert ENOUGH / 2 < counted <= ENOUGH


def test_every_check_of_the_report_has_a_meaning() -> None:
    checks = set(re.findall(r'check="([^"]+)"', getsource(findings)))
    assert checks
    assert checks == set(meanings.MEANINGS)


def test_what_may_mislead_comes_first_and_other_warnings_last() -> None:
    quality = {
        "findings": [
            {"check": "late", "text": "3 rows came after"},
            {"check": "missing", "text": "a"},
            {"check": "stuck", "text": "b"},
            {"check": "missing", "text": "c"},
            {"check": "novel", "text": "d"},
        ]
    }
    told = meanings.explain(quality, ["a", "c", "fewer than 3 lives with cage 1"])
    assert [each.check for each in told] == ["stuck", "missing", "late", "novel", ""]
    assert told[1].texts == ("a", "c")
    assert told[-1].texts == ("fewer than 3 lives with cage 1",)
    assert meanings.explain({}) == []


def test_manifests_tell_what_changed() -> None:
    first = {
        "rows_by_machine": {"a": 10, "b": 20, "c": 5},
        "failed_lives": 2,
        "features": [{"name": "x"}, {"name": "y"}],
        "health": {"sound": 7, "faulty": 3, "faults": {"ball": 3}},
        "code": "1",
        "feature_set": "trend/1",
        "warnings": ["old", "both"],
    }
    second = {
        "rows_by_machine": {"a": 11, "b": 50, "d": 1},
        "failed_lives": 3,
        "features": [{"name": "y"}, {"name": "z"}],
        "health": {"sound": 7, "faulty": 4, "faults": {"ball": 3, "cage": 1}},
        "code": "2",
        "feature_set": "trend/1",
        "warnings": ["both", "new"],
    }
    told = manifest_difference.compare(first, second)
    assert told.figures[:2] == (
        Change(name="rows", first=35, second=62),
        Change(name="failed lives", first=2, second=3),
    )
    assert Change(name="rows with cage", first=None, second=1) in told.figures
    assert (told.machines_added, told.machines_removed) == (("d",), ("c",))
    assert [each.name for each in told.machines_changed] == ["b", "a"]
    assert (told.features_added, told.features_removed) == (("z",), ("x",))
    assert told.made_by == (("code", "1", "2"),)
    assert (told.warnings_new, told.warnings_gone) == (("new",), ("old",))


def test_of_a_manifest_that_says_nothing_nothing_is_said() -> None:
    told = manifest_difference.compare({}, {"rows_by_machine": {"a": 1}})
    assert told.figures[0] == Change(name="rows", first=None, second=1)
    assert told.machines_added == ("a",)
    assert told.made_by == ()
