"""Jobs of dead workers are queued again, those of live ones are left alone, and those that kill are given up."""

import asyncio

import procrastinate
import pytest

from cloud_hub.jobs import queue
from cloud_hub.jobs.reaper import MOST_ATTEMPTS, reap
from cloud_hub.store.database import Database


@pytest.fixture
def store(database):
    with Database(database) as made:
        yield made


def state_of(store):
    return [
        (row["status"], row["attempts"]) for row in store.rows("SELECT * FROM procrastinate_jobs ORDER BY id")
    ]


async def begin(manager):
    """A worker that takes a job and is never heard of again."""
    worker = await manager.register_worker()
    return worker, await manager.fetch_job(queues=[queue.DEFAULT], worker_id=worker)


def die(store):
    store.execute("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'")


def with_manager(store, play):
    async def run():
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=store.conninfo, min_size=1))
        async with app.open_async():
            return await play(app.job_manager)

    return asyncio.run(run())


def defer(store, **options):
    with store.transaction() as connection:
        return queue.defer(connection, queue.RETRAIN, {"run": "r"}, **options)


def test_a_dead_workers_job_runs_again(store):
    job = defer(store)

    async def play(manager):
        await begin(manager)
        die(store)
        return await reap(manager)

    again, given_up = with_manager(store, play)
    assert ([each.id for each in again], given_up) == ([job], [])
    assert state_of(store) == [("todo", 1)]
    assert store.rows("SELECT id FROM procrastinate_workers") == []


def test_a_dead_workers_job_whose_like_was_queued_meanwhile_is_left_to_that_one(store):
    """A backup may hold a job in the middle; the hub that is restored from it queues another."""
    defer(store, queueing_lock="drive")

    async def play(manager):
        await begin(manager)
        die(store)
        defer(store, queueing_lock="drive")
        return await reap(manager)

    assert with_manager(store, play) == ([], [])
    assert state_of(store) == [("todo", 0)]


def test_a_job_of_a_worker_that_was_forgotten_runs_again(store):
    defer(store)

    async def play(manager):
        worker, _ = await begin(manager)
        await manager.unregister_worker(worker)
        return await reap(manager)

    again, _ = with_manager(store, play)
    assert len(again) == 1


def test_a_live_workers_job_is_left_alone(store):
    defer(store)

    async def play(manager):
        await begin(manager)
        return await reap(manager)

    assert with_manager(store, play) == ([], [])
    assert state_of(store) == [("doing", 0)]


def test_a_job_that_outlives_no_worker_is_given_up(store):
    defer(store)

    async def play(manager):
        ends = []
        for _ in range(MOST_ATTEMPTS):
            await begin(manager)
            die(store)
            ends.append(await reap(manager))
        return ends

    ends = with_manager(store, play)
    ended = [(len(again), len(given_up)) for again, given_up in ends]
    assert ended == [(1, 0)] * (MOST_ATTEMPTS - 1) + [(0, 1)]
    assert state_of(store)[0][0] == "failed"


def test_whoever_waits_for_a_job_that_is_given_up_hears_so_before_the_queue_forgets_it(store):
    """Killed between the two, it is told again: else its run would be under way for ever."""
    defer(store)
    told = []

    async def give_up(job):
        told.append(state_of(store))
        if len(told) == 1:
            raise RuntimeError("killed")

    async def play(manager):
        for _ in range(MOST_ATTEMPTS - 1):
            await begin(manager)
            die(store)
            await reap(manager)
        await begin(manager)
        die(store)
        with pytest.raises(RuntimeError, match="killed"):
            await reap(manager, give_up=give_up)
        return await reap(manager, give_up=give_up)

    _, given_up = with_manager(store, play)
    assert len(given_up) == 1
    assert told == [[("doing", MOST_ATTEMPTS - 1)]] * 2
    assert state_of(store)[0][0] == "failed"


def test_a_job_and_what_it_is_for_are_committed_together(store):
    with pytest.raises(RuntimeError, match="second thoughts"), store.transaction() as connection:
        raise_after_deferring(connection)
    assert state_of(store) == []


def raise_after_deferring(connection):
    queue.defer(connection, queue.RETRAIN, {"run": "r"})
    raise RuntimeError("second thoughts")


def test_a_job_that_waits_already_is_not_queued_twice_and_does_not_disturb_the_transaction(store):
    with store.transaction() as connection:
        assert queue.defer(connection, queue.DRIVE, queueing_lock="tick") is not None
        assert queue.defer(connection, queue.DRIVE, queueing_lock="tick") is None
        assert queue.pending(connection, queue.DRIVE)
    assert len(state_of(store)) == 1


def test_jobs_with_one_lock_take_turns(store):
    for _ in range(2):
        defer(store, lock="retrain")

    async def play(manager):
        return [await begin(manager) for _ in range(2)]

    (_, first), (_, second) = with_manager(store, play)
    assert first is not None
    assert second is None
