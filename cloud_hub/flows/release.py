"""From a judged candidate to a release: approval by a person, then the bundle, signed and published.

Approving queues the publishing; whoever must wait watches ``model.state``
become 'released'. Both halves may be repeated: the second time changes nothing.
"""

from cloud_hub.errors import GateError, NotFoundError
from cloud_hub.hub import Hub
from cloud_hub.jobs import queue
from cloud_hub.store.database import Connection, Row, load_queries

SQL = load_queries("cloud_hub.flows")


def approve(hub: Hub, release: str, *, person: str, override: str = "") -> None:
    """Let ``release`` be published; ``override`` is the reason where the gate had said no."""
    with hub.database.transaction() as connection:
        model = _model(connection, release)
        if model["state"] in ("approved", "released"):
            _queue(connection, release)
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


def _queue(connection: Connection, release: str) -> None:
    name = f"{queue.PUBLISH}:{release}"
    queue.defer(connection, queue.PUBLISH, {"release": release}, lock=queue.PUBLISH, queueing_lock=name)


def _model(connection: Connection, release: str) -> Row:
    model = connection.execute(SQL["model"], {"release": release}).fetchone()
    if model is None:
        raise NotFoundError("release", release)
    return model


def _reason(model: Row) -> str:
    return str(model["gate"].get("reason") or "no reason given")
