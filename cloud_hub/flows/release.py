"""A person's word on a candidate, and what came of it.

Approving queues the publishing (:mod:`cloud_hub.flows.publish`); whoever must
wait watches ``model.state`` become 'released', and :func:`failure`. Approving
twice changes nothing, except that a publishing that failed is tried again.
"""

from cloud_hub.errors import GateError, NotFoundError
from cloud_hub.flows.runs import SQL
from cloud_hub.hub import Hub
from cloud_hub.jobs import queue
from cloud_hub.store.database import Connection, Row

ACTOR = "job:publish"


def approve(hub: Hub, release: str, *, person: str, override: str = "") -> None:
    """Let ``release`` be published; ``override`` is the reason where the gate had said no."""
    with hub.database.transaction() as connection:
        model = model_of(connection, release)
        if model["state"] in ("approved", "released"):
            _queue(connection, release)  # an earlier publishing may have failed
            return
        if model["state"] == "refused" and not override.strip():
            raise GateError(
                f"the gate refused {release}: {_reason(model)}; to approve it all the same, say why"
            )
        connection.execute(SQL["approve"], {"release": release})
        approval = {"release": release, "person": person, "override": override.strip()}
        connection.execute(SQL["insert_approval"], approval | {"now": hub.clock.now()})
        _queue(connection, release)
        hub.record(
            connection,
            actor=person,
            action="release.approve",
            subject=release,
            detail={"override": override.strip(), "gate": model["gate"]},
            correlation=model["correlation"],
        )


def note_failure(hub: Hub, release: str, error: str) -> None:
    """Keep why ``release`` could not be published; approving it again tries again."""
    with hub.database.transaction() as connection:
        model = model_of(connection, release)
        hub.record(
            connection,
            actor=ACTOR,
            action="release.publish-failed",
            subject=release,
            detail={"error": error},
            correlation=model["correlation"],
        )


def failure(hub: Hub, release: str) -> str:
    """Why the newest try to publish ``release`` failed; empty where it did not, or is still under way."""
    with hub.database.transaction() as connection:
        row = connection.execute(SQL["newest_failure"], {"release": release}).fetchone()
        if row is None or queue.pending(connection, queue.PUBLISH):
            return ""
    return str(row["detail"]["error"]) if row["action"] == "release.publish-failed" else ""


def _queue(connection: Connection, release: str) -> None:
    name = f"{queue.PUBLISH}:{release}"
    queue.defer(connection, queue.PUBLISH, {"release": release}, lock=queue.PUBLISH, queueing_lock=name)


def model_of(connection: Connection, release: str) -> Row:
    """The row of a release's model, locked, with the correlation of its run."""
    model = connection.execute(SQL["model"], {"release": release}).fetchone()
    if model is None:
        raise NotFoundError("release", release)
    return model


def _reason(model: Row) -> str:
    return str(model["gate"].get("reason") or "no reason given")
