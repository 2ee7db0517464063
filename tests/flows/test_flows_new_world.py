"""What a training learns from that drift started: the new world, or all there is where that says too little."""

import pytest
from stored_machines import BEGIN_US, HOUR_US, fleet

from cloud_hub.flows import runs
from cloud_hub.flows.candidate import dataset_of
from cloud_hub.flows.retrain import queue_run
from models.use_case import find
from wire.clock import to_datetime

USE_CASE = "turbofan-rul"


def asked_for(hub, since):
    """The attempt at a training that drift started, and the dataset that it takes."""
    with hub.database.transaction() as connection:
        run = queue_run(
            hub, connection, USE_CASE, actor="policy:retrain", why="drift of features", since=since
        )
    attempt = runs.own(hub, run)
    return attempt, dataset_of(attempt, find(USE_CASE))


def widened(hub):
    return hub.database.rows("SELECT * FROM audit WHERE action = 'retrain.all_rows'")


def test_a_training_for_drift_takes_the_rows_of_the_new_world_alone(hub, stored):
    fleet(stored, machines=12)
    since = to_datetime(BEGIN_US + 30 * HOUR_US)
    attempt, dataset = asked_for(hub, since)
    assert attempt.settings == {"why": "drift of features", "since": since.isoformat()}
    assert to_datetime(int(dataset.examples().times.min())) == since
    assert dataset.lives == 12
    assert runs.own(hub, attempt.run).dataset == dataset.id
    assert widened(hub) == []


@pytest.mark.parametrize("hours", [120, 1000])  # three failures since; not a row
def test_a_new_world_that_cannot_teach_yet_is_learnt_with_the_old_one_and_the_audit_says_why(
    hub, stored, hours
):
    fleet(stored, machines=12)
    attempt, dataset = asked_for(hub, to_datetime(BEGIN_US + hours * HOUR_US))
    assert to_datetime(int(dataset.examples().times.min())) == to_datetime(BEGIN_US)
    (said,) = widened(hub)
    assert (said["subject"], said["correlation"]) == (attempt.run, attempt.correlation)
    assert "got" in said["detail"]["reason"]
