"""Data that cannot carry a training is refused, with what there is and what to do."""

import re
from typing import Any

import numpy as np
import pytest

from cloud_hub.dataset.demands import demand, warnings
from cloud_hub.errors import DatasetError
from models.examples import Examples
from models.use_case import UseCase
from tests.dataset.dataset_found import failure, found, pumps

TEN = range(10)


def examples(use_case: UseCase, faults: list[str | None]) -> Examples:
    """A machine for each of ``faults``: it failed with it, or it still runs."""
    labels = [failure(place, 9, fault=fault) for place, fault in enumerate(faults) if fault]
    readings = [np.zeros((10, 2))] * len(faults)
    return found([TEN] * len(faults), readings, labels=labels, use_case=use_case).examples


def test_enough_failures_on_enough_machines_are_enough() -> None:
    use_case = pumps()
    demand(examples(use_case, ["ball", "ball", "cage", "cage", None]), use_case)


FEW: list[tuple[dict[str, Any], list[str | None], str]] = [
    (
        {},
        ["ball", "cage", None, None],
        "expected at least 2 failures on 4 machines for pumps, got 2 on 2 (of 4 machines with 40 rows): import",
    ),
    (
        {"task": "fault-class", "anomaly": {"healthy_share": 0.0}},
        ["ball", "ball", "ball"],
        "expected rows of two classes at least for pumps, got one: ball; import more labels",
    ),
    (
        {"task": "fault-class"},
        [None, None],
        "expected rows of two classes at least for pumps, got one: nothing",
    ),
    (
        {"task": "fault-class", "anomaly": {"healthy_share": 0.0, "healthy_rows": 3}},
        ["ball", "ball", "cage", None],
        "expected 2 lives with each fault of pumps, got cage 1: import more labels",
    ),
    (
        {"task": "anomaly", "faults": None},
        [None, None],
        "expected rows known to be sound on at least 4 machines for pumps, got them on 0: declare",
    ),
]


@pytest.mark.parametrize(("changes", "faults", "reason"), FEW)
def test_too_little_is_refused(changes: dict[str, Any], faults: list[str | None], reason: str) -> None:
    use_case = pumps(**changes)
    with pytest.raises(DatasetError, match=re.escape(reason)):
        demand(examples(use_case, faults), use_case)


def test_every_class_in_enough_lives_is_enough_for_faults() -> None:
    use_case = pumps(task="fault-class")
    demand(examples(use_case, ["ball", "ball", "cage", "cage"]), use_case)


def test_machines_that_start_sound_are_enough_to_tell_the_strange() -> None:
    use_case = pumps(task="anomaly", faults=None, anomaly={"healthy_rows": 3})
    demand(examples(use_case, [None] * 4), use_case)


def test_a_fault_that_hardly_ever_came_is_a_warning_where_life_is_what_counts() -> None:
    use_case = pumps()
    assert warnings(examples(use_case, ["ball", "ball", "ball", "cage"]), use_case) == [
        "fewer than 2 lives with cage 1"
    ]
    assert warnings(examples(use_case, ["ball", "ball", "cage", "cage"]), use_case) == []
