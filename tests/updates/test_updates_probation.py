"""The verdict on a model, pure: what was seen in, wait or healthy or unhealthy out."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.config import ProbationSettings
from edge_agent.updates.probation import Evidence, Verdict, disagreement, judge
from edge_agent.updates.watch import Watch
from wire.manifest import Manifest, Output

LIMITS = ProbationSettings(
    predictions=20, hours=1.0, max_disagreement=0.5, max_bad_share=0.05, max_p99_ms=100.0
)
SOUND = Evidence(predictions=20, errors=0, bad=0, disagreement=0.1, p99_ms=5.0, hours=1.0, restarts=0)


def verdict(**changes):
    return judge(replace(SOUND, **changes), LIMITS).verdict


def test_enough_good_predictions_over_enough_hours_are_healthy():
    assert verdict() is Verdict.HEALTHY
    assert verdict(disagreement=None) is Verdict.HEALTHY  # a first install has nothing beside it


@pytest.mark.parametrize(
    "changes", [{"predictions": 19}, {"hours": 0.99}, {"predictions": 0, "p99_ms": None}]
)
def test_too_little_seen_waits(changes):
    assert verdict(**changes) is Verdict.WAIT


@pytest.mark.parametrize(
    "changes",
    [{"errors": 2}, {"bad": 2}, {"errors": 1, "bad": 1}, {"disagreement": 0.51}, {"p99_ms": 101.0}],
    ids=str,
)
def test_each_limit_alone_is_enough_to_fail(changes):
    assert verdict(**changes) is Verdict.UNHEALTHY


def test_the_reason_carries_both_values():
    assert "at most 0.5, got 0.75" in judge(replace(SOUND, disagreement=0.75), LIMITS).reason


@pytest.mark.parametrize("seen", [1, 2, 10, 20])
def test_one_bad_answer_weighs_the_same_at_the_start_as_at_the_end(seen):
    assert verdict(predictions=seen, bad=1) is not Verdict.UNHEALTHY


def test_two_bad_answers_of_two_need_not_wait_for_the_rest():
    assert verdict(predictions=2, bad=2, hours=0.0) is Verdict.UNHEALTHY


def test_disagreement_is_a_share_that_does_not_depend_on_the_unit():
    old = np.linspace(100, 500, 50)
    assert disagreement(old, old, 1000) == 0
    assert disagreement(old * 2, old, 1000) == pytest.approx(0.5, abs=0.01)
    assert disagreement(old * 2 * 60, old * 60, 60_000) == disagreement(old * 2, old, 1000)
    assert disagreement(np.zeros(50), old, 1000) == pytest.approx(1.0)
    assert disagreement(np.full(50, np.nan), old, 1000) == 1.0
    assert disagreement(np.array([]), np.array([]), 1000) is None


def test_near_the_end_of_life_a_difference_of_little_is_no_disagreement():
    assert disagreement(np.full(9, 3.0), np.full(9, 1.0), 1000) < 0.2


def manifest():
    return Manifest(
        use_case="u", version=1, release="u/1", machine_class="m", feature_set="f/1", inputs=(), rtol=0, atol=0,
        outputs=(
            Output(name="anomaly", unit="1", low=0, high=1),
            Output(name="remaining_life", unit="h", low=0, high=130),
        ),
    )  # fmt: skip


def test_the_watch_counts_what_the_pipeline_tells_it():
    watch = Watch(manifest(), started_us=0, restarts=1)
    watch.count(1, np.array([0.5, 130.00001], np.float32), np.array([0.5, 65.0], np.float32), 0.004, None)
    watch.count(2, np.array([[0.5, 131], [np.nan, 1]], np.float32), None, 0.002, None)
    watch.count(3, None, None, 0.5, ValueError("no"))
    seen = watch.evidence(3_600_000_000)
    assert (seen.predictions, seen.errors, seen.bad, seen.restarts, seen.hours) == (6, 3, 2, 1, 1.0)
    assert seen.disagreement == pytest.approx(0.5, abs=0.01)
    assert 400 < seen.p99_ms < 500


def test_an_answer_of_another_shape_is_bad():
    watch = Watch(manifest(), started_us=0, restarts=0)
    watch.count(1, np.array([0.5], np.float32), None, 0.001, None)
    assert watch.evidence(0).bad == 1
