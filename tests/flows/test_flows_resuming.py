"""A training that is cancelled ends, and one that was interrupted goes on with what it had finished."""

import threading
import time

import pytest
from stored_machines import fleet

from cloud_hub.errors import ConflictError
from cloud_hub.flows import candidate, runs
from cloud_hub.flows.retrain import request
from cloud_hub.flows.runs import TakenError

USE_CASE = "turbofan-rul"


def run_of(hub, name):
    return hub.database.row("SELECT * FROM run WHERE id = %(id)s", {"id": name})


def test_cancelled_run_ends_whoever_works_on_it(hub):
    run = request(hub, USE_CASE, actor="ada")
    attempt = runs.own(hub, run)
    runs.cancel(hub, run, actor="bob")
    with pytest.raises(TakenError, match="or the run has ended"):
        attempt.progress("training", 0.5)
    runs.fail(hub, run, "its process ended", attempt=attempt.number)
    assert (run_of(hub, run)["state"], run_of(hub, run)["error"]) == ("cancelled", "cancelled by bob")
    last = hub.database.row("SELECT actor, action, subject FROM audit ORDER BY id DESC LIMIT 1")
    assert last == {"actor": "bob", "action": "retrain.cancel", "subject": run}
    with pytest.raises(ConflictError, match="there is nothing to cancel"):
        runs.cancel(hub, run, actor="bob")


def test_queued_run_can_be_cancelled_before_anybody_begins(hub):
    run = request(hub, USE_CASE, actor="ada")
    runs.cancel(hub, run, actor="ada")
    with pytest.raises(TakenError, match="has ended already"):
        candidate.execute(hub, run)


def test_interrupting_whoever_follows_a_run_cancels_it(hub):
    run = request(hub, USE_CASE, actor="ada")
    with pytest.raises(KeyboardInterrupt), runs.cancelled_by_interrupt(hub, run, actor="ada"):
        raise KeyboardInterrupt
    assert run_of(hub, run)["state"] == "cancelled"


def test_another_attempt_goes_on_with_the_same_rows_and_the_finished_fits(hub, stored):
    fleet(stored, machines=12)
    run = request(hub, USE_CASE, actor="ada")
    kept = hub.artifacts / "runs" / run
    ended: list[type] = []

    def work() -> None:
        try:
            candidate.execute(hub, run)
        except TakenError as error:
            ended.append(type(error))

    first = threading.Thread(target=work)
    first.start()
    while not any(kept.glob("*.npz")) and first.is_alive():
        time.sleep(0.01)
    dataset = run_of(hub, run)["dataset"]
    runs.own(hub, run)  # as the next worker does, once the first is given up for dead
    first.join()
    assert ended == [TakenError]
    assert 1 <= len([*kept.glob("*.npz")]) < 5
    hub.database.execute("UPDATE feature SET values = values[1:0] || 5::real || values[2:] WHERE machine = 1")
    candidate.execute(hub, run)
    row = run_of(hub, run)
    assert (row["state"], row["error"], row["dataset"], row["attempt"]) == ("done", "", dataset, 3)
    assert not kept.exists()
