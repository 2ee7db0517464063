"""A queue in the middle of its day, as workers leave it: what runs, waits, ended and how."""

from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from cloud_hub.hub import Hub
from cloud_hub.jobs import queue
from cloud_hub.store.database import Connection

WORKER = "press-hall:4711"


def seed_jobs(hub: Hub, *, alive: bool = True) -> dict[str, int]:
    """Fill the queue of a hub that is seeded with a plant; returns jobs by what they are."""
    now = datetime.now(UTC)
    with hub.database.transaction() as connection:
        _workers(connection, now - timedelta(seconds=2) if alive else now - timedelta(minutes=12))
        training = _queued(connection, queue.RETRAIN, run="motor-health-r4", lock=queue.RETRAIN)
        begin(connection, training, queue.RETRAIN, "motor-health-r4", now - timedelta(minutes=8))
        connection.execute(
            """INSERT INTO run (id, use_case, state, correlation, created, settings)
               VALUES ('motor-health-r5', 'motor-health', 'queued', 'trace-5', %(now)s, '{}'),
                      ('motor-health-r6', 'motor-health', 'failed', 'trace-6', %(now)s, '{"why": "drift"}')""",
            {"now": hub.clock.now()},
        )
        connection.execute("UPDATE run SET error = 'too few machines' WHERE id = 'motor-health-r6'")
        behind = _queued(connection, queue.RETRAIN, run="motor-health-r5", lock=queue.RETRAIN)
        free = _queued(connection, queue.PUBLISH, release="motor-health/2", lock=queue.PUBLISH)
        failed = 9001
        begin(connection, failed, queue.RETRAIN, "motor-health-r6", now - timedelta(hours=2))
        end(connection, failed, "failed", "too few machines", now - timedelta(hours=1))
        for number in range(60):
            job = 8000 + number
            begin(connection, job, queue.MAINTAIN, "", now - timedelta(minutes=number + 1))
            end(connection, job, "done", "", now - timedelta(minutes=number + 1) + timedelta(seconds=0.4))
    return {"training": training, "behind": behind, "free": free, "failed": failed, "upkeep": 8000}


def begin(connection: Connection, job: int, task: str, subject: str, began: datetime) -> None:
    connection.execute(
        """INSERT INTO job_attempt (job, attempt, task, queue, subject, worker, began)
           VALUES (%s, 1, %s, 'default', %s, %s, %s)""",
        [job, task, subject, WORKER, began],
    )
    connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [job])


def end(connection: Connection, job: int, outcome: str, reason: str, ended: datetime) -> None:
    connection.execute(
        "UPDATE job_attempt SET ended = %s, outcome = %s, reason = %s WHERE job = %s",
        [ended, outcome, reason, job],
    )


def _queued(connection: Connection, task: str, *, lock: str, **arguments: str) -> int:
    job = queue.defer(connection, task, dict(arguments), lock=lock)
    assert job is not None
    return job


def _workers(connection: Connection, seen: datetime) -> None:
    connection.execute(
        "INSERT INTO job_worker (queue, name, began, seen) SELECT queue, %s, %s, %s FROM unnest(%s::text[]) AS queue",
        [WORKER, seen - timedelta(hours=5), seen, list(queue.CONCURRENCY)],
    )


def seed_decisions(hub: Hub, *, note: str = "") -> None:
    """The story of one release, as flows would have recorded it; ``note`` is what somebody wrote."""
    told = (
        ("policy:retrain", "retrain.request", "motor-health-r2", {"why": note or "drift of pressure"}),
        ("job:retrain", "retrain.done", "motor-health-r2", {"release": "motor-health/2", "passed": True}),
        ("mira", "release.approve", "motor-health/2", {"override": note}),
        ("job:publish", "release.publish", "motor-health/2", {"path": "bundles/motor-health/2.zip"}),
    )
    with hub.database.transaction() as connection:
        connection.execute(
            """INSERT INTO trigger_check (use_case, checked, release, reasons, figures, run)
               VALUES ('motor-health', %s, 'motor-health/1', %s, %s, 'motor-health-r2')""",
            [hub.clock.now() - timedelta(days=2), ["pressure has drifted"], Jsonb({})],
        )
        for actor, action, subject, detail in told:
            hub.record(
                connection,
                actor=actor,
                action=action,
                subject=subject,
                detail=detail,
                correlation="trace-2",
            )
