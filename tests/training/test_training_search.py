"""Settings are chosen on machines that a member had not seen, within their time, and what was tried is told."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from cloud_hub.errors import DatasetError
from cloud_hub.training.executor import InProcess
from cloud_hub.training.making import Workshop, make_network
from cloud_hub.training.product import make
from cloud_hub.training.progress import silent
from cloud_hub.training.search import best_network, with_settings
from models.declared.learning import Budget, Try
from models.errors import UseCaseError
from models.examples import Examples
from models.use_case import UseCase
from tests.training.made_machines import SETTINGS, machines, use_case

HERE = Workshop(executor=InProcess(), watch=silent)
POOR = {"budget": {"epochs": 1, "learning_rate": 1e-6}}
BETTER = {"network": {"hidden": [24]}, "budget": {"epochs": 20, "learning_rate": 0.01}}


def searching(*tries: dict, seconds: float = 1000.0) -> UseCase:
    """As written it hardly learns anything."""
    budget = SETTINGS["budget"] | POOR["budget"] | {"search": {"seconds": seconds, "tries": list(tries)}}
    return use_case("remaining-life", budget=budget, faults=None)


@pytest.fixture(scope="module")
def rows() -> Examples:
    return machines(8, 1, length=50)


def test_settings_with_the_least_error_on_unseen_machines_make_the_product(rows: Examples) -> None:
    wanted = searching(POOR, BETTER)
    found = best_network(rows, wanted, HERE)
    search = found.metrics["search"]
    assert search["chosen"] == 2
    assert [each["settings"] for each in search["tried"]] == [
        {},
        {"budget.epochs": 1, "budget.learning_rate": 1e-6},
        {"network.hidden": [24], "budget.epochs": 20, "budget.learning_rate": 0.01},
    ]
    assert search["not_tried"] == []
    errors = [each["error"] for each in search["tried"]]
    assert errors[2] == min(errors)
    alone = make_network(rows, with_settings(wanted, Try(**BETTER)), HERE)
    assert np.array_equal(found.unseen, alone.unseen)


def test_what_time_did_not_allow_is_told(rows: Examples) -> None:
    seconds = iter(range(0, 1000, 10))
    found = best_network(
        rows, searching(POOR, POOR, BETTER, seconds=50), HERE, now=lambda: float(next(seconds))
    )
    search = found.metrics["search"]
    assert len(search["tried"]) == 2
    assert search["not_tried"][-1] == {
        "settings": {"network.hidden": [24], "budget.epochs": 20, "budget.learning_rate": 0.01}
    }


def test_product_tells_of_its_search(rows: Examples) -> None:
    told: list[str] = []
    found = make(rows, searching(POOR), watch=lambda stage, share: told.append(stage))
    assert found.metrics["search"]["chosen"] == 0
    assert told[0] == "training: life, member 1 of 3, epoch 1 (try 1 of 2)"


def test_task_without_an_error_has_nothing_to_search_by(rows: Examples) -> None:
    asked = use_case("anomaly").model_copy(update={"budget": searching(BETTER).budget})
    with pytest.raises(DatasetError, match="no error to choose settings by"):
        best_network(replace(rows, faults=()), asked, HERE)
    with pytest.raises(ValidationError, match="expected none for the task anomaly"):
        use_case("anomaly", budget=searching(BETTER).budget.model_dump())


@pytest.mark.parametrize(
    ("tried", "sentence"),
    [
        ("network.hiden = [3]", "hiden"),
        ("budget.epochs = 0", "epochs"),
        ("budget.seed = 3", "expected settings of learning, got seed"),
        ("gate.bytes = 3", "gate"),
    ],
)
def test_setting_that_cannot_be_tried_is_refused_when_the_use_case_is_read(tried: str, sentence: str) -> None:
    text = f"""
title = "x"
machine_class = "x"
feature_set = "trend/1"
task = "anomaly"
signals = [{{ name = "x", unit = "1" }}]
costs = {{ currency = "EUR", failure = 1.0, planned = 1.0, false_alarm = 1.0 }}
[[budget.search.tries]]
{tried}
"""
    with pytest.raises(UseCaseError, match=sentence):
        UseCase.parse(text, name="x")


def test_grid_in_a_use_case_reads_as_dotted_names() -> None:
    budget = Budget.model_validate({"search": {"tries": [{"network": {"hidden": [8]}}]}})
    assert budget.search
    assert budget.search.tries[0].network == {"hidden": [8]}
