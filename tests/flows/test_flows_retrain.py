"""From rows in the store to a candidate in the registry, whoever else believes to be working on it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from stored_machines import fleet

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows import candidate, runs
from cloud_hub.flows.retrain import request, request_once
from cloud_hub.flows.runs import TakenError
from cloud_hub.registry.models import Registry
from models.errors import UseCaseError

USE_CASE = "turbofan-rul"


def run_of(hub, name):
    return hub.database.row("SELECT * FROM run WHERE id = %(id)s", {"id": name})


def actions(hub):
    return [
        (row["action"], row["correlation"]) for row in hub.database.rows("SELECT * FROM audit ORDER BY id")
    ]


def jobs(hub):
    return hub.database.rows("SELECT task_name, lock, args FROM procrastinate_jobs ORDER BY id")


def test_a_request_queues_a_run_and_its_job_together(hub):
    run = request(hub, USE_CASE, actor="ada", correlation="drift-7")
    row = run_of(hub, run)
    assert (row["state"], row["use_case"], row["correlation"]) == ("queued", USE_CASE, "drift-7")
    assert [(job["task_name"], job["args"]) for job in jobs(hub)] == [("retrain", {"run": run})]
    assert actions(hub) == [("retrain.request", "drift-7")]
    assert request(hub, USE_CASE, actor="ada") == f"{USE_CASE}-run-2"


def test_a_form_that_is_sent_twice_asks_for_one_training_and_the_next_form_for_another(hub):
    asked = [request_once(hub, "turbofan-rul", actor="ada", mark=mark) for mark in ("a", "a", "b")]
    assert asked == [
        ("turbofan-rul-run-1", True),
        ("turbofan-rul-run-1", False),
        ("turbofan-rul-run-2", True),
    ]
    assert request(hub, "turbofan-rul", actor="ada") == "turbofan-rul-run-3"
    assert len(jobs(hub)) == 3
    with pytest.raises(UseCaseError):
        request_once(hub, "nope", actor="ada", mark="c")


def test_of_two_who_ask_at_once_for_the_only_training_one_is_refused(hub):
    with ThreadPoolExecutor() as threads:
        with hub.database.transaction() as connection:
            connection.execute(runs.SQL["lock_runs"])
            asked = [
                threads.submit(request, hub, USE_CASE, actor=name, alone=True) for name in ("ada", "bea")
            ]
            time.sleep(0.3)  # both are at the door
        errors = [each.exception() for each in asked]
    (error,) = filter(None, errors)
    assert str(error) == f"{USE_CASE}-run-1 trains {USE_CASE} already: wait for it, or cancel it"
    assert len(jobs(hub)) == 1


def test_a_request_for_an_unknown_use_case_queues_nothing(hub):
    with pytest.raises(UseCaseError, match="got 'toaster'"):
        request(hub, "toaster", actor="ada")
    assert jobs(hub) == []


def test_a_run_leads_from_rows_to_a_judged_candidate_under_one_correlation(hub, stored):
    fleet(stored, machines=12)
    run = request(hub, USE_CASE, actor="ada", correlation="drift-7")
    candidate.execute(hub, run)
    row = run_of(hub, run)
    assert (row["state"], row["error"], row["progress"], row["attempt"]) == ("done", "", 1.0, 1)
    model = Registry(hub.database, hub.artifacts, hub.clock).get(f"{USE_CASE}/1")
    assert model.run == run
    assert model.manifest.lineage["dataset"] == row["dataset"]
    assert model.manifest.lineage["correlation"] == "drift-7"
    assert model.state == ("candidate" if model.gate["passed"] else "refused")
    assert actions(hub) == [("retrain.request", "drift-7"), ("retrain.done", "drift-7")]


def test_a_network_made_elsewhere_is_judged_like_a_trained_one(hub, stored, tmp_path):
    fleet(stored, machines=12)
    candidate.execute(hub, request(hub, USE_CASE, actor="ada"))
    registry = Registry(hub.database, hub.artifacts, hub.clock)
    file = tmp_path / "brought.onnx"
    file.write_bytes(registry.onnx(registry.get(f"{USE_CASE}/1")))
    run = request(hub, USE_CASE, actor="ada", onnx=file)
    file.unlink()
    candidate.execute(hub, run)
    assert run_of(hub, run)["state"] == "done"
    assert run_of(hub, run)["metrics"]["made_elsewhere"]
    brought = registry.get(f"{USE_CASE}/2")
    assert brought.onnx_sha256 == registry.get(f"{USE_CASE}/1").onnx_sha256
    assert "machines it has not learnt from" in brought.gate["reason"]
    assert len(registry.learning(brought)) == 13


def test_the_machines_a_network_made_elsewhere_has_learnt_from_are_those_named(hub, stored, tmp_path):
    fleet(stored, machines=12)
    candidate.execute(hub, request(hub, USE_CASE, actor="ada"))
    registry = Registry(hub.database, hub.artifacts, hub.clock)
    first = registry.get(f"{USE_CASE}/1")
    file, names = tmp_path / "brought.onnx", tmp_path / "machines.txt"
    file.write_bytes(registry.onnx(first))
    names.write_text("\n".join([*sorted(registry.learning(first)), ""]))
    candidate.execute(hub, request(hub, USE_CASE, actor="ada", onnx=file, learnt_from=names))
    brought = registry.get(f"{USE_CASE}/2")
    assert "has not learnt from" not in brought.gate["reason"]
    assert registry.learning(brought) == registry.learning(first)


def test_a_machine_that_nobody_knows_is_refused_by_name(hub, stored, tmp_path):
    """It may be misspelt, and the machine that was meant would then judge what it had taught."""
    stored.add("engine-1")
    file, names = tmp_path / "brought.onnx", tmp_path / "machines.txt"
    file.write_bytes(b"x")
    names.write_text("engine-1\nengine-O2\n")
    with pytest.raises(
        ConflictError, match=r"of the class turbofan that this hub knows, got engine-O2: mend"
    ):
        request(hub, USE_CASE, actor="ada", onnx=file, learnt_from=names)
    names.write_text("".join(f"engine-{number:02}\n" for number in range(9)))
    with pytest.raises(ConflictError, match="engine-07 and 1 more: mend"):
        request(hub, USE_CASE, actor="ada", onnx=file, learnt_from=names)
    assert jobs(hub) == []
    names.write_text("engine-1\n")
    run = request(hub, USE_CASE, actor="ada", onnx=file, learnt_from=names)
    assert run_of(hub, run)["settings"]["learnt_from"] == ["engine-1"]


def test_a_list_of_machines_that_names_none_or_no_network_is_refused(hub, tmp_path):
    file, names = tmp_path / "brought.onnx", tmp_path / "machines.txt"
    file.write_bytes(b"x")
    with pytest.raises(NotFoundError, match=r"no list of machines named .*machines\.txt"):
        request(hub, USE_CASE, actor="ada", onnx=file, learnt_from=names)
    names.write_text(" \n\n")
    with pytest.raises(ConflictError, match="expected the name of a machine on each line, got no line"):
        request(hub, USE_CASE, actor="ada", onnx=file, learnt_from=names)
    with pytest.raises(ConflictError, match="expected that network, got none: give it with --onnx"):
        request(hub, USE_CASE, actor="ada", learnt_from=names)
    assert jobs(hub) == []


def test_a_run_without_data_fails_with_a_sentence(hub):
    run = request(hub, USE_CASE, actor="ada")
    candidate.execute(hub, run)
    row = run_of(hub, run)
    assert row["state"] == "failed"
    assert row["error"].startswith("no machine") or "expected" in row["error"], row["error"]
    assert actions(hub)[-1][0] == "retrain.fail"


def test_only_the_newest_attempt_writes(hub):
    run = request(hub, USE_CASE, actor="ada")
    given_up = runs.own(hub, run)
    owner = runs.own(hub, run)
    with pytest.raises(TakenError, match="attempt 1 at turbofan-rul-run-1 was taken over"):
        given_up.progress("training", 0.5)
    with pytest.raises(TakenError), hub.database.transaction() as connection:
        given_up.hold(connection)
    runs.fail(hub, run, "too late", attempt=given_up.number)
    owner.progress("training", 0.5)
    row = run_of(hub, run)
    assert (row["state"], row["stage"], row["progress"]) == ("running", "training", 0.5)


def test_a_run_that_has_ended_is_not_begun_again(hub):
    run = request(hub, USE_CASE, actor="ada")
    runs.fail(hub, run, "cancelled by hand")
    with pytest.raises(TakenError, match="has ended already"):
        runs.own(hub, run)


def test_progress_is_written_in_steps_worth_showing(hub):
    attempt = runs.own(hub, request(hub, USE_CASE, actor="ada"))
    attempt.progress("training", 0.50)
    attempt.progress("training", 0.501)
    assert run_of(hub, attempt.run)["progress"] == 0.5
    attempt.progress("gate", 0.0)
    assert run_of(hub, attempt.run)["stage"] == "gate"
