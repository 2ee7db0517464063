"""`andon hub work`: two workers in one process, one for rollouts alone, one for everything else.

Stopped by SIGTERM it ends its children, puts their jobs back into the queue and
leaves; killed, it leaves jobs that the next one finds and queues again.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress

import procrastinate
import structlog
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from cloud_hub.config import HubConfig
from cloud_hub.errors import HubError, NotFoundError, UnreachableError
from cloud_hub.flows import runs, snapshots
from cloud_hub.flows.admission import Admission
from cloud_hub.flows.aftermath import Aftermath
from cloud_hub.flows.release import note_failure
from cloud_hub.flows.resigned import Resigner
from cloud_hub.hub import Hub, opened, wake_rollouts
from cloud_hub.jobs import queue
from cloud_hub.jobs.attempts import Attempts
from cloud_hub.jobs.reaper import HEARTBEAT_S, SILENCE_S, reap
from cloud_hub.jobs.tasks import build
from cloud_hub.rollout.rollouts import active
from cloud_hub.signing.director import Director

TEND_S = 5.0
GRACE_S = 8.0

log = structlog.get_logger()


def run(config: HubConfig) -> None:
    """Work until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger().handlers[0].addFilter(shorten)
    with opened(config) as hub:
        queue.check(hub.database)
        asyncio.run(serve(hub))


def shorten(record: logging.LogRecord) -> bool:
    """A database that is away is a line in the log; a traceback is for what is our own fault."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConnectorException):
        record.msg, record.args = "the database does not answer: %s", (error.__cause__ or "no reason given",)
        record.exc_info = record.exc_text = None
    return True


async def serve(hub: Hub, *, silence_s: float = SILENCE_S) -> None:
    """Run both workers until a signal comes; a worker that ends by itself ends all."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = build(hub, stopping)
    try:
        async with app.open_async():
            await _work(app, hub, stopping, silence_s)
    except ConnectorException as error:
        raise UnreachableError(f"the database went away: {hub.database.where}: {error.__cause__}") from error


async def _work(app: procrastinate.App, hub: Hub, stopping: asyncio.Event, silence_s: float) -> None:
    asked = asyncio.create_task(stopping.wait())
    noting = Attempts(hub.database)
    beating = asyncio.create_task(noting.beat(HEARTBEAT_S))
    tending = asyncio.create_task(_tend(app, hub, stopping, silence_s))
    workers = [asyncio.create_task(_worker(app, noting, name)) for name in queue.CONCURRENCY]
    log.info("working", queues=list(queue.CONCURRENCY))
    await asyncio.wait((asked, tending, *workers), return_when=asyncio.FIRST_COMPLETED)
    by_request = stopping.is_set()
    stopping.set()
    for task in (tending, *workers):
        task.cancel()
    ended = await asyncio.gather(tending, *workers, return_exceptions=True)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    await noting.leave()
    await asked
    if not by_request:
        errors = [each for each in ended if isinstance(each, Exception)]
        raise errors[0] if errors else UnreachableError("a worker ended by itself: see its log above")
    log.info("stopped")


def _worker(app: procrastinate.App, noting: Attempts, name: str) -> Coroutine[None, None, None]:
    return app.run_worker_async(
        queues=[name],
        name=name,
        concurrency=queue.CONCURRENCY[name],
        install_signal_handlers=False,
        update_heartbeat_interval=HEARTBEAT_S,
        stalled_worker_timeout=SILENCE_S,
        shutdown_graceful_timeout=GRACE_S,
        delete_jobs="successful",
        worker_middleware=[noting],
    )


async def _tend(app: procrastinate.App, hub: Hub, stopping: asyncio.Event, silence_s: float) -> None:
    """Every few seconds: take over from dead workers, see to what rollouts and a restore still need."""
    director = Director.of(hub.config)
    aftermath, resigner = Aftermath(hub, director.sign), Resigner(hub, director)
    admission = Admission(hub)

    async def give_up(job: Job) -> None:
        await asyncio.to_thread(_give_up, hub, job)

    while not stopping.is_set():
        again, given_up = await reap(app.job_manager, silence_s=silence_s, give_up=give_up)
        for job in again:
            log.warning("a worker died: its job runs again", job=job.id, task=job.task_name)
        for job in given_up:
            log.error("a job was given up: it outlived no worker", job=job.id, task=job.task_name)
        await asyncio.to_thread(_ensure_driven, hub)
        await asyncio.to_thread(_tend_trust, aftermath, resigner)
        await asyncio.to_thread(admission.tend)
        await asyncio.sleep(TEND_S)


def _give_up(hub: Hub, job: Job) -> None:
    why = f"given up after {job.attempts + 1} attempts: the last worker died at it"
    if job.task_name == queue.RETRAIN:
        runs.fail(hub, str(job.task_kwargs["run"]), why)
    elif job.task_name == queue.PUBLISH:
        with suppress(NotFoundError):  # then nobody waits for it
            note_failure(hub, str(job.task_kwargs["release"]), why)
    elif job.task_name == queue.SNAPSHOT:
        snapshots.fail(hub, str(job.task_kwargs["number"]), why)


def _ensure_driven(hub: Hub) -> None:
    with hub.database.transaction() as connection:
        if active(connection) and not queue.pending(connection, queue.DRIVE):
            wake_rollouts(connection)


def _tend_trust(aftermath: Aftermath, resigner: Resigner) -> None:
    """A hub whose keys are away goes on with everything else."""
    try:
        aftermath.tend()
        resigner.tend()
    except HubError as error:
        log.warning("what has to be signed again waits", reason=str(error))
