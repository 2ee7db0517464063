"""The verdict on a model, pure: what was seen in, wait or healthy or unhealthy out."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.config import ProbationSettings
from edge_agent.memory import resident_bytes
from edge_agent.updates.disagreement import Comparison, apart
from edge_agent.updates.probation import Evidence, Verdict, judge
from edge_agent.updates.watch import Watch
from wire.manifest import Manifest, Output

LIMITS = ProbationSettings(
    predictions=20, hours=1.0, max_disagreement=0.5, max_bad_share=0.05, max_p99_ms=100.0, max_memory_mb=256
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
    [
        {"errors": 2},
        {"bad": 2},
        {"errors": 1, "bad": 1},
        {"disagreement": 0.51},
        {"p99_ms": 101.0},
        {"memory_mb": 257.0},
        {"memory_mb": 257.0, "predictions": 1},
    ],
    ids=str,
)
def test_each_limit_alone_is_enough_to_fail(changes):
    assert verdict(**changes) is Verdict.UNHEALTHY


def test_the_reason_carries_both_values():
    apart = replace(SOUND, disagreement=0.75, compared="remaining_life")
    assert "at most 0.5 in remaining_life, got 0.75" in judge(apart, LIMITS).reason
    assert "at most 256 MB of memory, got 300 MB" in judge(replace(SOUND, memory_mb=300.0), LIMITS).reason


def test_memory_that_nobody_can_tell_is_not_judged():
    assert verdict(memory_mb=None) is Verdict.HEALTHY
    assert verdict(memory_mb=-80.0) is Verdict.HEALTHY


def test_the_evidence_names_all_that_is_judged():
    judged = {
        "predictions",
        "errors",
        "bad",
        "disagreement",
        "compared",
        "p99_ms",
        "hours",
        "restarts",
        "memory_mb",
    }
    assert SOUND.plain().keys() == judged


@pytest.mark.parametrize("seen", [1, 2, 10, 20])
def test_one_bad_answer_weighs_the_same_at_the_start_as_at_the_end(seen):
    assert verdict(predictions=seen, bad=1) is not Verdict.UNHEALTHY


def test_two_bad_answers_of_two_need_not_wait_for_the_rest():
    assert verdict(predictions=2, bad=2, hours=0.0) is Verdict.UNHEALTHY


def test_disagreement_is_a_share_that_does_not_depend_on_the_unit():
    old = np.linspace(100, 500, 50)
    assert apart(old, old, 1000) == 0
    assert apart(old * 2, old, 1000) == pytest.approx(0.5, abs=0.01)
    assert apart(old * 2 * 60, old * 60, 60_000) == apart(old * 2, old, 1000)
    assert apart(np.zeros(50), old, 1000) == pytest.approx(1.0)
    assert apart(np.full(50, np.nan), old, 1000) == 1.0


def test_near_the_end_of_life_a_difference_of_little_is_no_disagreement():
    assert apart(np.full(9, 3.0), np.full(9, 1.0), 1000) < 0.2


def outputs(*names, high=1.0, unit="1"):
    return tuple(Output(name=name, unit=unit, low=0, high=high) for name in names)


def compared(new_outputs, new, old_outputs, old):
    """Names and disagreement of two models that answered so."""
    comparison = Comparison.of(
        replace(manifest(), outputs=new_outputs), replace(manifest(), outputs=old_outputs)
    )
    rows, were = np.array(new, float)[:, comparison.new], np.array(old, float)[:, comparison.old]
    return comparison.names, comparison.measure(rows, were)


def test_remaining_life_is_compared_and_what_stands_beside_it_is_not():
    both = (*outputs("anomaly"), *outputs("remaining_life", high=100))
    assert compared(both, [[0.9, 50]], both, [[0.1, 50]]) == (("remaining_life",), 0.0)


def test_without_remaining_life_the_output_that_is_furthest_apart_counts():
    scores = outputs("anomaly", "imbalance", high=10)
    names, far = compared(scores, [[5, 2]] * 9, scores, [[5, 1]] * 9)
    assert (names, far) == (("anomaly", "imbalance"), 0.5)


def test_of_class_probabilities_the_share_with_another_likeliest_class_counts():
    classes = outputs("healthy", "bearing", "impeller")
    old = [[0.8, 0.1, 0.1]] * 4
    new = [[0.45, 0.35, 0.2], [0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [0.2, 0.7, 0.1]]
    assert compared(classes, new, classes, old)[1] == 0.25
    assert compared(classes, [*new, [np.nan] * 3], classes, [*old, old[0]])[1] == 0.4


def test_the_same_output_in_another_place_is_still_the_same():
    new, old = outputs("healthy", "bearing"), outputs("bearing", "healthy")
    assert compared(new, [[0.9, 0.1]] * 3, old, [[0.1, 0.9]] * 3)[1] == 0.0


def test_models_without_an_output_in_common_are_not_compared():
    assert compared(outputs("anomaly"), [[1]], outputs("healthy"), [[0]]) == ((), None)
    assert compared(outputs("life", unit="h"), [[1]], outputs("life", unit="d"), [[1]]) == ((), None)
    assert compared(outputs("anomaly"), np.empty((0, 1)), outputs("anomaly"), np.empty((0, 1)))[1] is None


def manifest():
    return Manifest(
        use_case="u", version=1, release="u/1", machine_class="m", feature_set="f/1", inputs=(), rtol=0, atol=0,
        outputs=(
            Output(name="anomaly", unit="1", low=0, high=1),
            Output(name="remaining_life", unit="h", low=0, high=130),
        ),
    )  # fmt: skip


def test_the_watch_counts_what_the_pipeline_tells_it():
    memory = iter([100 << 20, 103 << 20]).__next__
    watch = Watch(manifest(), started_us=0, restarts=1, memory=memory)
    watch.count(1, np.array([0.5, 130.00001], np.float32), np.array([0.5, 65.0], np.float32), 0.004, None)
    watch.count(2, np.array([[0.5, 131], [np.nan, 1]], np.float32), None, 0.002, None)
    watch.count(3, None, None, 0.5, ValueError("no"))
    seen = watch.evidence(3_600_000_000)
    assert (seen.predictions, seen.errors, seen.bad, seen.restarts, seen.hours) == (6, 3, 2, 1, 1.0)
    assert seen.disagreement == pytest.approx(0.5, abs=0.01)
    assert seen.p99_ms == pytest.approx(4.0), "one slow answer of few may be the host's"
    assert (seen.memory_mb, seen.compared) == (3.0, "remaining_life")


def test_an_answer_of_another_shape_is_bad():
    watch = Watch(manifest(), started_us=0, restarts=0, memory=lambda: None)
    watch.count(1, np.array([0.5], np.float32), None, 0.001, None)
    assert watch.evidence(0).bad == 1


def test_an_old_model_that_answers_otherwise_than_its_manifest_says_is_not_compared():
    watch = Watch(manifest(), started_us=0, restarts=0, memory=lambda: None)
    watch.count(1, np.array([0.5, 100.0], np.float32), np.array([100.0], np.float32), 0.001, None)
    assert watch.evidence(0).disagreement is None


def test_this_process_knows_how_much_memory_it_takes():
    taken = resident_bytes()
    assert taken is None or 1 << 20 < taken < 1 << 40
