"""What workers note: every attempt with its end and its reason, and that they are alive; never at a job's cost."""

import asyncio
from datetime import UTC, datetime, timedelta

import procrastinate
import psycopg
import pytest

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError, DatabaseAwayError
from cloud_hub.flows import runs, snapshots
from cloud_hub.hub import assemble
from cloud_hub.jobs import attempts, queue, read
from cloud_hub.jobs.attempts import Attempts
from cloud_hub.jobs.child import InterruptedJobError
from cloud_hub.jobs.tasks import LATER
from cloud_hub.store.database import Database


@pytest.fixture
def store(database):
    with Database(database) as made:
        yield made


def work(store, tasks, *, times=1, retry=None):
    """Have a real worker do what is queued, with ``tasks`` by name."""

    async def run():
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=store.conninfo, min_size=1))
        for name, does in tasks.items():
            again = procrastinate.RetryStrategy(max_attempts=times - 1, wait=0)  # of 0 it makes no end
            app.task(name=name, retry=retry or (again if times > 1 else False))(does)
        async with app.open_async():
            await app.run_worker_async(
                wait=False,
                install_signal_handlers=False,
                delete_jobs="successful",
                worker_middleware=[Attempts(store)],
            )

    asyncio.run(run())


def defer(store, task, **arguments):
    with store.transaction() as connection:
        return queue.defer(connection, task, arguments)


def noted(store):
    found = store.rows("SELECT * FROM job_attempt ORDER BY job, attempt")
    return [(row["attempt"], row["subject"], row["outcome"], row["reason"]) for row in found]


def test_a_job_that_went_well_is_remembered_though_the_queue_forgets_it(store):
    async def publish(release):
        assert store.row("SELECT outcome, ended FROM job_attempt") == {"outcome": None, "ended": None}

    job = defer(store, queue.PUBLISH, release="pump/1")
    work(store, {queue.PUBLISH: publish})
    assert store.rows("SELECT FROM procrastinate_jobs") == []
    assert noted(store) == [(1, "pump/1", "done", "")]
    told = read.job(store, job)
    assert (told.task, told.status, told.subject, told.kept) == (queue.PUBLISH, "done", "pump/1", None)


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (ConflictError("the keys are away"), "failed", "the keys are away"),
        (ValueError("x" * 900), "failed", "ValueError: " + "x" * 488),
        (KeyError(), "failed", "KeyError: "),
        (InterruptedJobError("stopped"), "stopped", attempts.STOPPED),
    ],
)
def test_a_job_that_did_not_go_well_says_why(store, error, outcome, reason):
    def look(use_case):
        raise error

    defer(store, queue.CHECK, use_case="pump")
    work(store, {queue.CHECK: look})
    assert noted(store) == [(1, "pump", outcome, reason)]
    assert store.row("SELECT status::text AS is FROM procrastinate_jobs") == {"is": "failed"}


def test_each_attempt_has_a_line_of_its_own(store):
    tried = []

    def maintain(timestamp):
        tried.append(timestamp)
        if len(tried) < 3:
            raise ConflictError(f"try {len(tried)}")

    defer(store, queue.MAINTAIN, timestamp=0)
    work(store, {queue.MAINTAIN: maintain}, times=3)
    assert noted(store) == [(1, "", "failed", "try 1"), (2, "", "failed", "try 2"), (3, "", "done", "")]


def test_a_failure_that_a_flow_keeps_itself_is_the_failure_of_its_job(store, database, tmp_path):
    config = HubConfig(state_dir=tmp_path, database_url=database)
    hub = assemble(config, store, config.time())
    store.execute(
        "INSERT INTO run (id, use_case, state, correlation, created) VALUES ('r', 'pump', 'running', 't', %(now)s)",
        {"now": hub.clock.now()},
    )

    async def retrain(run):
        runs.fail(hub, run, "its process was ended by SIGKILL")

    defer(store, queue.RETRAIN, run="r")
    work(store, {queue.RETRAIN: retrain})
    assert noted(store) == [(1, "r", "failed", "its process was ended by SIGKILL")]


def test_a_dataset_that_could_not_be_made_is_a_job_that_failed(store, database, tmp_path):
    config = HubConfig(state_dir=tmp_path, database_url=database)
    hub = assemble(config, store, config.time())
    number = snapshots.request(hub, "turbofan-rul", since=None, actor="ada")
    (waits,), _ = read.waiting(store, [], datetime.now(UTC))
    assert waits["subject"] == str(number)

    async def snapshot(number):
        snapshots.fail(hub, number, "no machine has failed yet")

    work(store, {queue.SNAPSHOT: snapshot})
    assert noted(store) == [(1, str(number), "failed", "no machine has failed yet")]
    assert read.TASKS[queue.SNAPSHOT] == "make a dataset"


@pytest.mark.parametrize(
    "error",
    [DatabaseAwayError("it does not answer"), psycopg.OperationalError("gone"), InterruptedJobError()],
)
def test_a_job_of_which_nobody_could_be_told_how_it_ended_runs_again(store, error):
    """Its run would be under way for ever, and a dataset could never be asked for again."""
    tried = []

    async def retrain(run):
        tried.append(run)
        if len(tried) == 1:
            raise error

    defer(store, queue.RETRAIN, run="r")
    work(store, {queue.RETRAIN: retrain}, retry=LATER)
    assert tried == ["r", "r"]
    assert store.rows("SELECT FROM procrastinate_jobs") == []


def test_an_attempt_whose_worker_is_gone_is_lost_and_one_that_runs_is_not(store):
    defer(store, queue.RETRAIN, run="gone")
    defer(store, queue.RETRAIN, run="runs")
    now = datetime.now(UTC)
    for job, attempt in ((1, 1), (2, 1)):
        store.execute(
            "INSERT INTO job_attempt (job, attempt, task, queue, subject, worker, began)"
            " VALUES (%(job)s, %(attempt)s, 'retrain', 'default', '', 'w:1', %(now)s)",
            {"job": job, "attempt": attempt, "now": now},
        )
    store.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    store.execute("UPDATE procrastinate_jobs SET attempts = 1 WHERE id = 1")  # another attempt is under way

    async def beat_once():
        beating = asyncio.create_task(Attempts(store).beat(60.0))
        while not store.rows("SELECT FROM job_attempt WHERE ended IS NOT NULL"):
            await asyncio.sleep(0.01)
        beating.cancel()

    asyncio.run(asyncio.wait_for(beat_once(), 60))
    found = store.rows("SELECT job, outcome FROM job_attempt ORDER BY job")
    assert [(row["job"], row["outcome"]) for row in found] == [(1, "lost"), (2, None)]
    assert {row.name: row.alive for row in read.queues(store, datetime.now(UTC))} == {
        "rollout": 1,
        "default": 1,
    }


def test_a_worker_that_leaves_or_falls_silent_is_alive_no_more(store):
    noting, now = Attempts(store), datetime.now(UTC)

    async def come_and_go():
        beating = asyncio.create_task(noting.beat(60.0))
        while not store.rows("SELECT FROM job_worker"):
            await asyncio.sleep(0.01)
        beating.cancel()
        return read.queues(store, now), read.queues(store, now + timedelta(minutes=5))

    there, later = asyncio.run(asyncio.wait_for(come_and_go(), 60))
    assert [each.alive for each in (*there, *later)] == [1, 1, 0, 0]
    assert [each.places for each in there] == list(queue.CONCURRENCY.values())
    asyncio.run(noting.leave())
    assert [(each.alive, each.left) for each in read.queues(store, now)] == [(0, True)] * 2


def test_a_job_goes_on_where_its_note_cannot_be_written(store):
    done = []

    def maintain(timestamp):
        done.append(timestamp)

    defer(store, queue.MAINTAIN, timestamp=7)
    store.execute("ALTER TABLE job_attempt RENAME TO elsewhere")
    with pytest.raises(psycopg.Error):
        store.rows("SELECT FROM job_attempt")
    work(store, {queue.MAINTAIN: maintain})
    assert done == [7]
    assert store.rows("SELECT FROM procrastinate_jobs") == []


def test_notes_are_forgotten_after_a_month_but_never_who_was_seen_last(store):
    now = datetime.now(UTC)
    for days in (1, 40, 50):
        store.execute(
            "INSERT INTO job_attempt VALUES (%(days)s, 1, 'retrain', 'default', '', 'w', %(at)s, %(at)s, 'done', '')",
            {"days": days, "at": now - timedelta(days=days)},
        )
        store.execute(
            "INSERT INTO job_worker VALUES (%(queue)s, %(name)s, %(at)s, %(at)s)",
            {
                "queue": "default" if days > 1 else "rollout",
                "name": str(days),
                "at": now - timedelta(days=days),
            },
        )
    attempts.tidy(store, now)
    assert [row["job"] for row in store.rows("SELECT job FROM job_attempt")] == [1]
    assert {row["name"] for row in store.rows("SELECT name FROM job_worker")} == {"1", "40"}


@pytest.mark.parametrize(
    ("now", "minutes", "due"),
    [
        ("12:00:00", 1, "12:01:00"),
        ("12:09:59", 10, "12:10:00"),
        ("12:10:00", 10, "12:20:00"),
        ("23:59:01", 1, "00:00:00"),
    ],
)
def test_what_comes_round_is_due_when_the_queue_says(store, now, minutes, due):
    from croniter import croniter

    moment = datetime.fromisoformat(f"2026-03-01T{now}+00:00")
    task = next(name for name, each in queue.EVERY_MINUTES.items() if each == minutes)
    told = next(each.next for each in read.due(store, moment) if each.task == task)
    assert f"{told:%H:%M:%S}" == due
    assert told == croniter(queue.cron(task), moment).get_next(datetime)
