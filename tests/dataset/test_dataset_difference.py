"""Two datasets are told apart by rows, labels, distributions and versions, and the same ones by nothing."""

from dataclasses import replace

import numpy as np
import pytest

from cloud_hub.dataset.difference import Difference, compare, psi
from models.examples import Examples
from tests.dataset.dataset_found import failure, found, pumps

LONG = 200
MANIFEST = {
    "code": "0.1.0+abc",
    "feature_set_version": "f00",
    "feature_set": "trend/1",
    "schema": ["machine"],
}


def examples(machines: int = 3, *, hours: int = LONG, fault: str = "ball", shift: float = 0.0) -> Examples:
    readings = [np.random.default_rng(seed).normal(shift, 1, size=(hours, 2)) for seed in range(machines)]
    return found(
        [range(hours)] * machines, readings, labels=[failure(0, 199, fault=fault)], use_case=pumps()
    ).examples


def difference(second: Examples, **manifest: str) -> Difference:
    return compare(examples(), second, MANIFEST, MANIFEST | manifest)


def test_the_same_dataset_does_not_differ_from_itself() -> None:
    found = difference(examples())
    assert (found.rows, found.labels, found.moved, found.made_by) == ({}, {}, {}, {})


def test_rows_and_machines_that_came_and_went_are_counted() -> None:
    assert difference(examples(4, hours=180)).rows == {
        "pump-0": {"added": 0, "removed": 20},
        "pump-1": {"added": 0, "removed": 20},
        "pump-2": {"added": 0, "removed": 20},
        "pump-3": {"added": 180, "removed": 0},
    }


def test_labels_that_changed_are_counted_by_machine() -> None:
    assert difference(examples(fault="cage")).labels == {"pump-0": 6}
    second = examples()
    renumbered = np.where(second.fault < 0, -1, 1 - second.fault).astype(np.int16)
    assert difference(replace(second, faults=("cage", "ball"), fault=renumbered)).labels == {}


def test_features_whose_distribution_moved_are_named() -> None:
    moved = difference(examples(shift=1.0)).moved
    assert set(moved) == {"flow.last", "pressure.last"}
    assert min(moved.values()) > 0.5


def test_features_that_came_or_went_are_named() -> None:
    second = examples()
    found = difference(replace(second, names=("flow.last", "speed.last")))
    assert (found.features_added, found.features_removed) == (("speed.last",), ("pressure.last",))


def test_other_code_is_told() -> None:
    assert difference(examples(), code="0.2.0+def").made_by == {"code": ("0.1.0+abc", "0.2.0+def")}


@pytest.mark.parametrize("rows", [60, 600, 6000])
def test_chance_moves_no_distribution_however_few_rows_there_are(rows: int) -> None:
    rng = np.random.default_rng(1)
    draws = [rng.normal(size=(2, rows)).astype(np.float32) for _ in range(20)]
    assert np.mean([psi(one, other) for one, other in draws]) < 0.1
