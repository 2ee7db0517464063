"""Deferring a job inside the transaction that needs it: both are there, or neither."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import procrastinate
from procrastinate import exceptions, manager
from procrastinate.tasks import configure_task

from cloud_hub.errors import ConfigError
from cloud_hub.store.database import Connection, Database

ROLLOUT = "rollout"  # has a worker of its own: no training may hold up a halt
DEFAULT = "default"

RETRAIN = "retrain"
PUBLISH = "publish"
SNAPSHOT = "snapshot"
CHECK = "check_triggers"
LOOK = "look_at_triggers"
DRIVE = "drive_rollouts"
MAINTAIN = "maintain_store"
REFRESH = "refresh_timestamp"

EVERY_MINUTES: Mapping[str, int] = MappingProxyType({LOOK: 1, MAINTAIN: 1, REFRESH: 10})  # of real time
CONCURRENCY: Mapping[str, int] = MappingProxyType(
    {ROLLOUT: 1, DEFAULT: 4}
)  # trainings take turns by their lock


def cron(task: str) -> str:
    """When ``task`` is due, for the queue."""
    return f"*/{EVERY_MINUTES[task]} * * * *"


def defer(
    connection: Connection,
    task: str,
    arguments: dict[str, Any] | None = None,
    *,
    queue: str = DEFAULT,
    lock: str | None = None,
    queueing_lock: str | None = None,
    priority: int = 0,
) -> int | None:
    """Queue ``task`` within the caller's transaction; the job's id, or None where it is queued already.

    Of the jobs with one ``lock`` only one runs at a time; of those with one
    ``queueing_lock`` only one waits.
    """
    deferrer = configure_task(
        name=task,
        job_manager=manager.JobManager(procrastinate.SyncPsycopgConnector()),
        connection=connection,
        queue=queue,
        lock=lock,
        queueing_lock=queueing_lock,
        priority=priority,
    )
    connection.execute("SELECT")  # begins the transaction: else the savepoint would be one, and commit
    try:
        with connection.transaction():  # a savepoint: a refusal must not undo the caller's work
            return deferrer.defer(**(arguments or {}))
    except exceptions.AlreadyEnqueued:
        return None


def pending(connection: Connection, task: str) -> bool:
    """Whether a job of ``task`` waits or runs."""
    found = connection.execute(
        "SELECT FROM procrastinate_jobs WHERE task_name = %(task)s AND status IN ('todo', 'doing') LIMIT 1",
        {"task": task},
    )
    return found.fetchone() is not None


def check(database: Database) -> None:
    """``UnreachableError`` where the database does not answer, ``ConfigError`` where it holds no queue."""
    with database.connect() as connection:
        row = connection.execute("SELECT to_regclass('procrastinate_jobs') AS there").fetchone()
    if row is None or row["there"] is None:
        raise ConfigError(f"{database.where} has no schema yet: run `andon hub migrate`")
