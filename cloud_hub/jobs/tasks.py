"""What `andon hub work` can do, by the names under which it is deferred.

Rollouts are driven by one job that lives as long as a rollout does, not by a job
a second: the queue still decides that it runs once and somewhere, a start is picked
up at once by its notification, and a day of waiting leaves no 86,400 rows behind.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import procrastinate
import psycopg
import structlog

from cloud_hub import hub as assembly
from cloud_hub.errors import DatabaseAwayError
from cloud_hub.flows import runs, snapshots, triggers
from cloud_hub.flows.release import note_failure
from cloud_hub.hub import Hub
from cloud_hub.jobs import attempts, queue
from cloud_hub.jobs.child import ChildError, InterruptedJobError, run_child
from cloud_hub.signing.repository import Repository
from cloud_hub.store import captures, partitions, rollups

TICK_S = 1.0
FOR_EVER = procrastinate.RetryStrategy(wait=1)  # a rollout is not given up because the database was away
# Stopped, or what became of it could not be written down: else nobody would ever hear that it has ended.
LATER = procrastinate.RetryStrategy(
    wait=0, retry_exceptions={InterruptedJobError, DatabaseAwayError, psycopg.OperationalError}
)

Failed = Callable[[Hub, str, str], None]

log = structlog.get_logger()


def build(hub: Hub, stopping: asyncio.Event) -> procrastinate.App:
    """The application whose tasks work on ``hub`` until ``stopping`` is set."""
    connector = procrastinate.PsycopgConnector(conninfo=hub.database.conninfo, min_size=1, max_size=6)
    app = procrastinate.App(connector=connector)
    _rollouts(app, hub, stopping)
    _models(app, hub, stopping)
    _upkeep(app, hub)
    return app


def _rollouts(app: procrastinate.App, hub: Hub, stopping: asyncio.Event) -> None:
    engine = assembly.engine(hub)

    @app.task(name=queue.DRIVE, queue=queue.ROLLOUT, retry=FOR_EVER)
    async def drive_rollouts() -> None:
        while not stopping.is_set() and await asyncio.to_thread(engine.step_all) > 0:
            await _pause(stopping, TICK_S)


def _models(app: procrastinate.App, hub: Hub, stopping: asyncio.Event) -> None:
    async def in_child(flow: str, subject: str, failed: Failed) -> None:
        try:
            await run_child(flow, subject, config=hub.config, clock=str(hub.clock), stopping=stopping)
        except ChildError as error:
            await asyncio.to_thread(failed, hub, subject, str(error))

    @app.task(name=queue.RETRAIN, retry=LATER)
    async def retrain(run: str) -> None:
        await in_child(queue.RETRAIN, run, runs.fail)

    @app.task(name=queue.PUBLISH, retry=LATER)
    async def publish(release: str) -> None:
        await in_child(queue.PUBLISH, release, note_failure)

    @app.task(name=queue.SNAPSHOT, retry=LATER)
    async def snapshot(number: str) -> None:
        await in_child(queue.SNAPSHOT, number, snapshots.fail)

    @app.task(name=queue.CHECK)
    async def check_triggers(use_case: str) -> None:
        await in_child(queue.CHECK, use_case, _note_unlooked)

    @app.periodic(cron=queue.cron(queue.LOOK))
    @app.task(name=queue.LOOK, queueing_lock=queue.LOOK, priority=-5)
    def look_at_triggers(timestamp: int) -> None:
        """A minute of real time may be days of a scaled clock: what is due is due by the hub's clock."""
        for use_case in triggers.due(hub):
            name = f"{queue.CHECK}:{use_case}"
            with hub.database.transaction() as connection:
                queue.defer(connection, queue.CHECK, {"use_case": use_case}, lock=name, queueing_lock=name)


def _upkeep(app: procrastinate.App, hub: Hub) -> None:
    repository = Repository.of(hub.config)

    @app.periodic(cron=queue.cron(queue.MAINTAIN))
    @app.task(name=queue.MAINTAIN, queueing_lock=queue.MAINTAIN, priority=-10)
    def maintain_store(timestamp: int) -> None:
        with hub.database.connect() as connection:
            partitions.ensure(connection, hub.config.store, hub.clock)
            partitions.summarise(connection)
            rollups.turn(connection, hub.config.store, hub.clock)
            dropped = partitions.tidy(connection, hub.config.store, hub.clock)
            gone = captures.tidy(connection, hub.config.store, hub.clock)
        attempts.tidy(hub.database, datetime.now(UTC))
        if dropped:
            log.info("dropped partitions past their retention", partitions=dropped)
        if gone:
            log.info("deleted captures past their retention", windows=gone)

    @app.periodic(cron=queue.cron(queue.REFRESH))
    @app.task(name=queue.REFRESH, queueing_lock=queue.REFRESH, priority=-5)
    def refresh_timestamp(timestamp: int) -> None:
        if repository.exists() and repository.refresh_timestamp():
            log.info("signed the TUF timestamp anew")


def _note_unlooked(hub: Hub, use_case: str, error: str) -> None:
    """The next look comes in a minute."""
    log.warning("the triggers could not be looked at", use_case=use_case, reason=error)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
