"""Trees say whether a network found what the features hold, on machines that neither had seen."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from cloud_hub.training import oracle
from cloud_hub.training.gate import Verdict
from cloud_hub.training.product import make
from cloud_hub.training.train import train
from models import graphs
from models.declared.learning import Oracle
from models.examples import Examples
from tests.training.made_machines import machines, use_case

PASSED = Verdict(passed=True, reason="better", checks=(), evidence={"rows": 3})
REFUSING = Oracle(refuse=True)


@pytest.fixture(scope="module")
def sides() -> tuple[Examples, Examples]:
    rows = machines()
    return rows.where(rows.machine % 3 != 0), rows.where(rows.machine % 3 == 0)


@pytest.mark.parametrize("task", ["remaining-life", "fault-class"])
def test_network_as_good_as_trees_is_said_to_be(sides: tuple[Examples, Examples], task: str) -> None:
    wanted = use_case(task)
    learning, judging = sides
    product = make(learning, wanted)
    answers = graphs.Runner(product.onnx, wanted.outputs).run(judging.features)
    opinion = oracle.ask(learning, judging, answers, wanted)
    assert not opinion.much_worse, opinion.said
    assert opinion.trees is not None
    assert opinion == replace(oracle.ask(learning, judging, answers, wanted), seconds=opinion.seconds)
    worst = oracle.ask(learning, judging, np.zeros_like(answers), wanted)
    assert worst.much_worse
    assert "much worse: the features hold more" in worst.said


def test_much_worse_network_is_refused_only_where_the_use_case_says_so() -> None:
    opinion = oracle.Opinion(said="RMSE 9, trees 3", network=9.0, trees=3.0, much_worse=True)
    assert oracle.weigh(opinion, PASSED, Oracle()).passed
    refused = oracle.weigh(opinion, PASSED, REFUSING)
    assert not refused.passed
    assert refused.reason == "error against trees: expected at most 1.15 x theirs, got RMSE 9, trees 3"
    assert refused.evidence["oracle"]["trees"] == 3.0
    assert oracle.weigh(replace(opinion, much_worse=False), PASSED, REFUSING).passed


def test_oracle_that_is_not_installed_is_said_and_stops_nothing(
    sides: tuple[Examples, Examples], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    wanted = use_case("remaining-life")
    opinion = oracle.ask(*sides, np.zeros((len(sides[1]), len(wanted.outputs)), np.float32), wanted)
    assert (opinion.trees, opinion.much_worse) == (None, False)
    assert "LightGBM cannot be used here" in opinion.said


@pytest.mark.parametrize("task", ["remaining-life", "fault-class", "anomaly"])
def test_candidate_of_every_task_is_judged_beside_trees(task: str) -> None:
    candidate = train(machines(18, 3), use_case(task, gate={"must_beat": ["mean remaining life"]}))
    assert candidate.verdict.passed, candidate.verdict.reason
    assert candidate.verdict.evidence["oracle"] == candidate.metrics["oracle"]
    assert (candidate.metrics["oracle"]["trees"] is None) == (task == "anomaly")
    assert not {*candidate.metrics["held_out"]} & {*candidate.metrics["learning"]}
