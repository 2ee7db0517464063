"""Asking for a dataset: a row to watch, and the job that makes it, together or not at all.

The work is in :mod:`cloud_hub.flows.snapshotting`, done by a child process of `andon hub work`. One dataset
of a use case is made at a time; its outcome stays here, a refusal with its reason.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from cloud_hub.errors import ConflictError
from cloud_hub.hub import Hub
from cloud_hub.jobs import queue
from cloud_hub.store.database import Row, load_queries
from models import use_case as use_cases

SQL = load_queries("cloud_hub.flows", "snapshots.sql")
ACTOR = "job:snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    id: int
    use_case: str
    since: datetime | None  # older rows are left out
    state: str  # queued, running, done or failed
    dataset: str | None
    error: str
    asked_by: str
    asked: datetime
    finished: datetime | None


def request(hub: Hub, use_case: str, *, since: datetime | None, actor: str) -> int:
    """Queue a dataset of ``use_case``; its number. ``UseCaseError`` where there is no such use case.

    ``ConflictError`` where one of it is being made already, or all rows there are would be left out.
    """
    use_cases.find(use_case, hub.config.use_cases)
    now = hub.clock.now()
    if since is not None and since >= now:
        raise ConflictError(f"rows older than {since:%Y-%m-%d} would be left out, and none is newer yet")
    values = {"use_case": use_case, "since": since, "actor": actor, "now": now}
    with hub.database.transaction() as connection:
        traced = uuid.uuid4().hex
        row = connection.execute(SQL["insert"], values | {"correlation": traced}).fetchone()
        if row is None:
            raise ConflictError(_being_made(connection.execute(SQL["open"], values).fetchone(), use_case))
        # They take turns: each reads all rows of its machines.
        queue.defer(connection, queue.SNAPSHOT, {"number": str(row["id"])}, lock=queue.SNAPSHOT)
        detail = {"use_case": use_case, "since": since.isoformat() if since else None}
        hub.record(
            connection,
            actor=actor,
            action="snapshot.request",
            subject=str(row["id"]),
            detail=detail,
            correlation=traced,
        )
    return int(row["id"])


def newest(hub: Hub, *, most: int = 5) -> list[Snapshot]:
    """The last ones that were asked for, newest first."""
    return [Snapshot(**row) for row in hub.database.rows(SQL["newest"], {"most": most})]


def fail(hub: Hub, number: str, error: str, *, attempt: int | None = None) -> None:
    """End it as failed, unless it has ended or another attempt than ``attempt`` owns it."""
    with hub.database.transaction() as connection:
        values = {"id": int(number), "error": error, "attempt": attempt, "now": hub.clock.now()}
        row = connection.execute(SQL["fail"], values).fetchone()
        if row is not None:
            hub.record(
                connection,
                actor=ACTOR,
                action="snapshot.fail",
                subject=number,
                detail={"use_case": row["use_case"], "error": error},
                correlation=row["correlation"],
            )


def _being_made(row: Row | None, use_case: str) -> str:
    asked = f": {row['asked_by']} asked for it at {row['asked']:%Y-%m-%d %H:%M} UTC" if row else ""
    return f"a dataset of {use_case} is being made already{asked}"
