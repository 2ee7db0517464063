"""Under operating conditions a model learns, is judged and described by one table, from machines it learnt on."""

from dataclasses import replace

import numpy as np
import pytest

from cloud_hub.registry.manifests import conditions_of, draw_up
from cloud_hub.training.executor import InProcess
from cloud_hub.training.product import inputs, learn_table, make
from cloud_hub.training.train import Candidate, Champion, train
from models.examples import Examples
from models.use_case import UseCase
from tests.training.made_machines import at_two_speeds, under_conditions
from wire.manifest import Manifest


@pytest.fixture(scope="module")
def wanted() -> UseCase:
    return under_conditions()


@pytest.fixture(scope="module")
def rows() -> Examples:
    return at_two_speeds()


@pytest.fixture(scope="module")
def candidate(rows: Examples, wanted: UseCase) -> Candidate:
    return train(rows, wanted)


def test_model_learns_what_readings_mean_under_their_condition(candidate: Candidate, rows: Examples) -> None:
    assert candidate.verdict.passed, candidate.verdict.reason
    assert candidate.conditions is not None
    assert len(candidate.conditions.centres) == 2
    assert candidate.names != rows.names
    assert "wear.mean10" in " ".join(candidate.names) or "wear.from_start" in candidate.names


def test_table_is_learnt_on_machines_that_do_not_judge(
    candidate: Candidate, rows: Examples, wanted: UseCase
) -> None:
    judges = rows.of_machines(frozenset(candidate.metrics["held_out"]))
    assert candidate.conditions == learn_table(rows.where(~judges), wanted)
    assert candidate.conditions != learn_table(rows, wanted)


def test_features_made_machine_by_machine_are_those_made_at_once(rows: Examples, wanted: UseCase) -> None:
    table = learn_table(rows, wanted)
    assert table is not None
    derived = inputs(rows, table)
    (whole,) = InProcess().derive([rows], table)
    assert np.array_equal(derived.features, whole.features)
    assert np.array_equal(derived.times, whole.times)


def test_champion_reads_the_same_machines_under_its_own_table(
    candidate: Candidate, rows: Examples, wanted: UseCase
) -> None:
    """Its answers under the candidate's table would be nonsense, and it would lose to anything."""
    assert candidate.conditions is not None
    slower = replace(
        candidate.conditions,
        mean=tuple(tuple(value + 3 for value in row) for row in candidate.conditions.mean),
    )
    champion = Champion(
        release="made-up/1", onnx=candidate.onnx, learning=frozenset(), conditions=candidate.conditions
    )
    fair = train(rows, wanted, champion=replace(champion, learning=frozenset(candidate.metrics["learning"])))
    (_, same) = fair.verdict.evidence["paired"]
    unfair = train(
        rows,
        wanted,
        champion=replace(champion, conditions=slower, learning=frozenset(candidate.metrics["learning"])),
    )
    (_, other) = unfair.verdict.evidence["paired"]
    assert same["other"] == pytest.approx(candidate.verdict.evidence["rmse"])
    assert other["other"] > 1.5 * same["other"]


def test_manifest_carries_the_table_to_devices_and_back(candidate: Candidate, wanted: UseCase) -> None:
    manifest = draw_up(
        wanted,
        names=candidate.names,
        units=candidate.units,
        interval=candidate.interval,
        alarms=candidate.alarms,
        highest_anomaly=candidate.highest_anomaly,
        lineage={},
        table=candidate.conditions,
    )
    assert conditions_of(Manifest.from_json(manifest.to_json())) == candidate.conditions


def test_cluster_or_not_an_unknown_condition_gives_no_row(rows: Examples, wanted: UseCase) -> None:
    found = make(rows, wanted)
    strange = rows.features.copy()
    strange[rows.machine == 3, 1] = 9000
    derived = inputs(replace(rows, features=strange), found.conditions)
    assert 3 not in derived.machine
    assert 4 in derived.machine
