"""`andon hub work` as a process: it does what is queued, stops cleanly, and may be killed at any time."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from procrastinate.exceptions import ConnectorException
from rollout_world import World, plan
from stored_machines import Stored, fleet

from cloud_hub.config import HubConfig
from cloud_hub.flows import retrain, runs
from cloud_hub.flows.release import approve, failure
from cloud_hub.hub import opened
from cloud_hub.jobs import child, main, queue
from cloud_hub.signing import keys
from cloud_hub.signing.repository import Repository
from wire.directive import Directors, SignedDirective, accept

PATIENCE_S = 120


@pytest.fixture
def hub(database, tmp_path):
    file = tmp_path / "hub.toml"
    file.write_text(f"database_url = {json.dumps(database)}\n")
    with opened(HubConfig.load(file)) as made:
        yield made


@pytest.fixture
def start(hub, tmp_path):
    started = []

    def begin():
        log = (tmp_path / "work.log").open("ab")
        command = [sys.executable, "-m", "andon", "hub", "work", "--config", str(tmp_path / "hub.toml")]
        started.append(subprocess.Popen(command, stdout=log, stderr=log))
        log.close()
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
    print((tmp_path / "work.log").read_text())


def until(seen, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = seen()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


def run_row(hub, run):
    return hub.database.row("SELECT * FROM run WHERE id = %(id)s", {"id": run})


def children_of(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
            command = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(rest.split()[1]) == pid and b"cloud_hub.jobs.child" in command:
            found.append(int(name.split()[0]))
    return found


@contextmanager
def held_training(hub, start):
    """A worker, and its children once the training waits for its run, which is held; a look at drift may be another."""
    with hub.database.transaction() as connection:
        connection.execute("SELECT * FROM run FOR UPDATE")
        mine = connection.info.backend_pid
        process = start()
        waiting = "SELECT FROM pg_stat_activity WHERE %(mine)s = ANY (pg_blocking_pids(pid))"
        until(lambda: hub.database.row(waiting, {"mine": mine}) is not None, "the training waits for its run")
        yield process, children_of(process.pid)


def gone(pid):
    """Whether a process has ended; one that nobody waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def listening(hub):
    return hub.database.row("SELECT 1 AS yes FROM procrastinate_workers HAVING count(*) = 2")


def test_the_worker_trains_publishes_and_rolls_out(hub, start, tmp_path):
    keys.init(hub.config.state_dir, tmp_path / "offline")
    world = World(hub.config.database_url)
    stored = Stored(hub.database)
    fleet(stored, machines=12)
    process = start()
    run = retrain.request(hub, "turbofan-rul", actor="ada")
    until(lambda: run_row(hub, run)["state"] in ("done", "failed"), "the run ended")
    assert run_row(hub, run)["error"] == ""
    approve(hub, "turbofan-rul/1", person="ada", override="a drill")
    until(
        lambda: hub.database.row("SELECT * FROM model WHERE state = 'released'"),
        failure(hub, "turbofan-rul/1"),
    )
    world.add_devices("edge-1", machine_class="turbofan")
    chosen = plan("turbofan-rul/1", use_case="turbofan-rul", selector={"devices": ("edge-1",)})
    rollout = hub.rollouts.start(chosen, actor="ada")
    until(lambda: world.offered() == {"edge-1"}, "the device was offered the release")
    check_directive(hub, world)
    hub.rollouts.abort(rollout, actor="ada", reason="enough seen")
    world.close()
    began = time.monotonic()
    process.terminate()
    assert process.wait(20) == 0
    assert time.monotonic() - began < 10
    assert hub.database.rows("SELECT * FROM procrastinate_workers") == []


def check_directive(hub, world):
    """A device that trusts this hub's root follows it."""
    row = hub.database.row("SELECT signed FROM directive")
    folder = Repository(hub.config.state_dir).targets_folder
    (trusted,) = folder.glob("*.directors.json")
    directive = accept(
        SignedDirective.from_bytes(bytes(row["signed"])),
        Directors.from_json(trusted.read_bytes()),
        device="edge-1",
        key_fingerprint=b"edge-1".hex(),
        site="plant-1",
        use_case="turbofan-rul",
        accepted=None,
        now_us=hub.clock.now_us(),
    )
    model = world.database.row("SELECT * FROM model")
    assert (directive.bundle_path, directive.bundle_sha256) == (model["bundle_path"], model["bundle_sha256"])


def test_upkeep_runs_beside_everything_else(hub, start, tmp_path):
    keys.init(hub.config.state_dir, tmp_path / "offline")
    with hub.database.transaction() as connection:
        for task in (queue.MAINTAIN, queue.REFRESH):
            queue.defer(connection, task, {"timestamp": 0})
    start()
    wanted = {"tasks": [queue.MAINTAIN, queue.REFRESH]}
    left = "SELECT status FROM procrastinate_jobs WHERE task_name = ANY (%(tasks)s) AND (args ->> 'timestamp') = '0'"
    until(lambda: not hub.database.rows(left, wanted), "both are done, and forgotten as they went well")


def test_a_rollout_goes_on_after_its_worker_was_killed(hub, start, tmp_path):
    keys.init(hub.config.state_dir, tmp_path / "offline")
    world = World(hub.config.database_url)
    world.clock = hub.clock
    world.add_devices("edge-1", "edge-2")
    world.add_release(1)
    rollout = hub.rollouts.start(plan(waves=("1", "100%")), actor="ada")
    process = start()
    until(lambda: world.offered() == {"edge-1"}, "the first wave opened")
    process.send_signal(signal.SIGKILL)
    process.wait()
    world.commit("edge-1")
    hub.database.execute(
        "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'"
    )
    start()
    until(lambda: world.offered() == {"edge-1", "edge-2"}, "the second wave opened")
    world.commit("edge-2")
    until(lambda: world.state(rollout) == "done", "the rollout is done")
    assert [len(world.directives(name)) for name in ("edge-1", "edge-2")] == [1, 1]
    world.close()


def test_a_training_process_that_is_killed_fails_its_run_and_spares_the_worker(hub, start):
    run = retrain.request(hub, "turbofan-rul", actor="ada")
    with held_training(hub, start) as (process, children):
        for child in children:
            os.kill(child, signal.SIGKILL)
        until(lambda: all(map(gone, children)), "the child died")
    until(lambda: run_row(hub, run)["state"] == "failed", "the run failed")
    assert run_row(hub, run)["error"] == "its process was ended by SIGKILL; is there enough memory?"
    assert process.poll() is None


def test_a_stopped_worker_puts_its_training_back(hub, start):
    run = retrain.request(hub, "turbofan-rul", actor="ada")
    with held_training(hub, start) as (process, children):
        until(lambda: listening(hub), "both workers are up")
        process.terminate()
        assert process.wait(20) == 0
    assert all(map(gone, children))
    assert run_row(hub, run)["state"] == "queued"
    assert hub.database.row("SELECT status FROM procrastinate_jobs WHERE task_name = 'retrain'") == {
        "status": "todo"
    }


def test_a_killed_worker_leaves_no_child_behind(hub, start):
    retrain.request(hub, "turbofan-rul", actor="ada")
    with held_training(hub, start) as (process, children):
        process.kill()
        process.wait()
        until(lambda: all(map(gone, children)), "the child followed its worker")


@pytest.mark.parametrize(
    ("place", "why"),
    [("127.0.0.1:1/none", "error: the database does not answer"), ("", "run `andon hub migrate`")],
)
def test_a_hub_without_its_database_is_told_in_a_sentence(place, why, request, tmp_path):
    url = f"postgresql://nobody@{place}" if place else request.getfixturevalue("empty_database")
    (tmp_path / "hub.toml").write_text(f"database_url = {json.dumps(url)}\n")
    command = [sys.executable, "-m", "andon", "hub", "work", "--config", str(tmp_path / "hub.toml")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_child_cannot_be_shadowed_by_the_folder_it_is_started_in(hub, tmp_path, monkeypatch):
    (tmp_path / "getpass.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    asyncio.run(child.run_child(queue.RETRAIN, "none", config=hub.config, clock="", stopping=asyncio.Event()))
    assert not (tmp_path / "imported").exists()


def test_a_run_that_was_cancelled_in_the_queue_is_a_line_in_the_log(hub, capfd):
    run = retrain.request(hub, "turbofan-rul", actor="ada")
    runs.cancel(hub, run, actor="ada")
    asyncio.run(child.run_child(queue.RETRAIN, run, config=hub.config, clock="", stopping=asyncio.Event()))
    said = "".join(capfd.readouterr())
    assert f"{run} has ended already" in said
    assert "Traceback" not in said
    assert run_row(hub, run)["state"] == "cancelled"


@pytest.mark.parametrize(
    ("error", "traced"), [(ConnectorException("none"), False), (ValueError("defect"), True)]
)
def test_a_database_that_went_away_is_a_line_in_the_log_and_a_defect_a_traceback(error, traced):
    error.__cause__ = OSError("connection refused")
    record = logging.LogRecord("w", logging.ERROR, "", 0, "failed: %s", ("x",), (type(error), error, None))
    assert main.shorten(record)
    assert bool(record.exc_info) is traced
    assert ("connection refused" in record.getMessage()) is not traced
