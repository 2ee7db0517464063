"""Jobs of dead workers: nobody else would ever finish them, as the queue leaves them "doing" for good.

A worker is dead when its heartbeat stopped. Its jobs are queued again, and given up
once they have cost several workers their lives. All this is real time: it is about
processes, not about machines or models.
"""

from collections.abc import Awaitable, Callable

from procrastinate import jobs, utils
from procrastinate.exceptions import UniqueViolation
from procrastinate.manager import JobManager

HEARTBEAT_S = 3.0
SILENCE_S = 15.0  # five heartbeats: a busy machine skips one or two
MOST_ATTEMPTS = 5  # orderly stops of the worker count as well


GiveUp = Callable[[jobs.Job], Awaitable[None]]


async def untold(_job: jobs.Job) -> None:
    """For jobs that nobody waits for."""


async def reap(
    manager: JobManager, *, silence_s: float = SILENCE_S, give_up: GiveUp = untold
) -> tuple[list[jobs.Job], list[jobs.Job]]:
    """Queue the jobs of dead workers again; returns those, and those that were given up.

    ``give_up`` says so to whoever waits for a job, before the queue forgets that it is under way: killed
    between the two, it is told again.
    """
    again, given_up = [], []
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=silence_s):
        assert job.id is not None, "a job from the database has an id"
        if job.attempts + 1 >= MOST_ATTEMPTS:
            await give_up(job)
            await manager.finish_job(job, jobs.Status.FAILED, delete_job=False)
            given_up.append(job)
        elif await _queue_again(manager, job, job.id):
            again.append(job)
    await manager.prune_stalled_workers(silence_s)
    return again, given_up


async def _queue_again(manager: JobManager, job: jobs.Job, number: int) -> bool:
    """Whether it was queued; where its like was queued meanwhile, that one does its work."""
    try:
        await manager.retry_job_by_id_async(number, retry_at=utils.utcnow())
    except UniqueViolation:
        await manager.finish_job(job, jobs.Status.FAILED, delete_job=True)
        return False
    return True
