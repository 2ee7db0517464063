"""What workers do, written down an attempt at a time, and that they are alive.

The queue forgets a job that went well, and never knew why one did not; people ask for both. A note that
cannot be written stops no job: the database may be away while a rollout has to go on. All this is real time,
as everything about processes.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import psycopg
import structlog
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from cloud_hub.errors import HubError
from cloud_hub.jobs import queue
from cloud_hub.jobs.child import InterruptedJobError
from cloud_hub.store.database import Database, Row, load_queries

SQL = load_queries("cloud_hub.jobs", "attempts.sql")
KEPT = timedelta(days=30)
LONGEST_REASON = 500  # characters
STOPPED = "its worker was asked to stop: it runs again"
# The argument that says what a job is about; a task that names none is about the hub.
SUBJECTS: Mapping[str, str] = MappingProxyType(
    {queue.RETRAIN: "run", queue.PUBLISH: "release", queue.SNAPSHOT: "number", queue.CHECK: "use_case"}
)
# Flows keep a failure themselves, and their job has then gone well: where it is kept.
KEPT_ERRORS: Mapping[str, str] = MappingProxyType(
    {queue.RETRAIN: "run_error", queue.PUBLISH: "publish_error", queue.SNAPSHOT: "snapshot_error"}
)

log = structlog.get_logger()


class Attempts:
    """The notes of one worker process: wraps each of its jobs, and beats while it lives."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._began = datetime.now(UTC)

    async def __call__(self, go_on: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
        """One attempt at a job, from its beginning to whatever end."""
        job = context.job
        subject = str(job.task_kwargs.get(SUBJECTS.get(job.task_name, ""), ""))
        about: Row = {"job": job.id, "attempt": job.attempts + 1, "task": job.task_name, "subject": subject}
        await asyncio.to_thread(self._write, "begin", about | {"queue": job.queue})
        try:
            result = await go_on()
        except BaseException as error:
            await asyncio.to_thread(self._write, "end", about | _outcome(error))
            raise
        await asyncio.to_thread(self._end_well, about)
        return result

    async def beat(self, every_s: float) -> None:
        """Say again and again that this process works, and that attempts of dead ones are lost."""
        while True:
            await asyncio.to_thread(self._write, "beat", {"queues": list(queue.CONCURRENCY)})
            await asyncio.to_thread(self._write, "lose", {})
            await asyncio.sleep(every_s)

    async def leave(self) -> None:
        """The process ends in good order."""
        await asyncio.to_thread(self._write, "leave", {})

    def _end_well(self, about: Row) -> None:
        try:
            query = KEPT_ERRORS.get(about["task"])
            kept = self._database.row(SQL[query], about) if query else None
        except (HubError, psycopg.Error) as error:
            return _unwritten(error)
        reason = str(kept["reason"])[:LONGEST_REASON] if kept else ""
        return self._write("end", about | {"outcome": "failed" if kept else "done", "reason": reason})

    def _write(self, query: str, values: Mapping[str, Any]) -> None:
        told = {"worker": self._worker, "began": self._began, "now": datetime.now(UTC)}
        try:
            self._database.execute(SQL[query], told | dict(values))
        except (HubError, psycopg.Error) as error:
            _unwritten(error)


def tidy(database: Database, now: datetime) -> None:
    """Forget what is older than a month."""
    for query in ("forget_attempts", "forget_workers"):
        database.execute(SQL[query], {"before": now - KEPT})


def _outcome(error: BaseException) -> Row:
    if isinstance(error, InterruptedJobError | asyncio.CancelledError):
        return {"outcome": "stopped", "reason": STOPPED}
    said = " ".join(str(error).split()).replace("\0", "")
    reason = said if said and isinstance(error, HubError) else f"{type(error).__name__}: {said}"
    return {"outcome": "failed", "reason": reason[:LONGEST_REASON]}


def _unwritten(error: Exception) -> None:
    log.warning("what a job does could not be written down", reason=" ".join(str(error).split()))
