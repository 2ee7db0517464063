"""People's word on a candidate, and what came of it.

Once enough of them have approved, publishing is queued (:mod:`cloud_hub.flows.publish`);
whoever must wait watches ``model.state`` become 'released', and :func:`failure`. Approving
what is approved changes nothing, except that a publishing that failed is tried again.
"""

from cloud_hub.errors import ConflictError, GateError, NotFoundError
from cloud_hub.flows.runs import SQL
from cloud_hub.hub import Hub
from cloud_hub.jobs import queue
from cloud_hub.registry.approvals import Standing, standing
from cloud_hub.registry.models import SQL as REGISTRY
from cloud_hub.store.database import Connection, Row
from models import use_case as use_cases
from models.declared.judging import Approval

ACTOR = "job:publish"


def approve(hub: Hub, release: str, *, person: str, override: str = "") -> Standing:
    """Note that ``person`` approves ``release``; with enough people it is let be published.

    ``override`` is the reason where the gate had said no: each of them gives one.
    ``person`` may be a policy, named "policy:...".
    """
    with hub.database.transaction() as connection:
        model = model_of(connection, release)
        use_case = use_cases.find(model["use_case"], hub.config.use_cases)
        said = [row["person"] for row in connection.execute(REGISTRY["approvals"], {"release": release})]
        actors = [*said, person, author_of(connection, model)]
        *said, voice, author = (row["voice"] for row in connection.execute(SQL["voices"], {"actors": actors}))
        if model["state"] in ("approved", "released"):
            _queue(connection, release)  # an earlier publishing may have failed
            return Standing(enough=True, voices=tuple(dict.fromkeys(said)))
        _check_not_refused(connection, release)
        _check(model, override)
        check_known(connection, actors, use_case.approval)
        stands = standing([*said, voice], author, use_case.approval)
        if voice not in said:
            approval = {"release": release, "person": person, "override": override.strip()}
            connection.execute(SQL["insert_approval"], approval | {"now": hub.clock.now()})
        if stands.enough:
            connection.execute(SQL["approve"], {"release": release})
            _queue(connection, release)
        if voice not in said or stands.enough:
            _record(hub, connection, model, person=person, override=override.strip(), stands=stands)
    return stands


def publish_again(hub: Hub, release: str, *, actor: str) -> None:
    """Have what could not be published be tried again; ``ConflictError`` where there is nothing to do.

    The approvals stand: nobody is asked anew, and nothing but the publishing is repeated.
    """
    with hub.database.transaction() as connection:
        model = model_of(connection, release)
        if model["state"] != "approved":
            raise ConflictError(
                f"expected {release} to be approved and not published, it is {model['state']}"
            )
        newest = connection.execute(SQL["newest_failure"], {"release": release}).fetchone()
        if newest is None or newest["action"] != "release.publish-failed":
            raise ConflictError(f"publishing {release} has not failed: it is under way")
        if _queue(connection, release) is None:
            raise ConflictError(f"publishing {release} is queued already")
        hub.record(
            connection,
            actor=actor,
            action="release.publish-again",
            subject=release,
            detail={"after": newest["detail"].get("error", "")},
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


def model_of(connection: Connection, release: str) -> Row:
    """The row of a release's model, locked, with the correlation of its run."""
    model = connection.execute(SQL["model"], {"release": release}).fetchone()
    if model is None:
        raise NotFoundError("release", release)
    return model


def _check_not_refused(connection: Connection, release: str) -> None:
    """``ConflictError`` where a person has said no: unlike the gate's, nobody overrides that."""
    refusal = connection.execute(REGISTRY["refusal"], {"release": release}).fetchone()
    if refusal is not None:
        raise ConflictError(
            f"{refusal['person']} refused {release} on {refusal['refused']:%Y-%m-%d}: {refusal['reason']}"
        )


def _check(model: Row, override: str) -> None:
    release = model["release"]
    if model["state"] == "removed":
        raise ConflictError(
            f"the files of {release} were removed on {model['removed']:%Y-%m-%d}: "
            f"`andon model train {model['use_case']}` makes another"
        )
    if model["state"] == "refused" and not override.strip():
        raise GateError(f"the gate refused {release}: {_reason(model)}; to approve it all the same, say why")


def check_known(connection: Connection, actors: list[str], rule: Approval) -> None:
    """``ConflictError`` where it takes two people, and nobody knows whose voice one of ``actors`` is."""
    if rule.people == 1 and rule.author_may:
        return
    for row in connection.execute(SQL["voices"], {"actors": actors}):
        if row["nobodys"]:
            raise ConflictError(
                f"this takes two people, and nobody knows whose {row['actor']} is: "
                f"`andon hub person terminal NAME {row['actor']}` says so"
            )


def author_of(connection: Connection, model: Row) -> str:
    """Who asked for the training that made the model."""
    row = connection.execute(REGISTRY["author"], {"run": model["run"]}).fetchone()
    return str(row["actor"]) if row else ""


def _record(
    hub: Hub, connection: Connection, model: Row, *, person: str, override: str, stands: Standing
) -> None:
    detail = {"override": override, "gate": model["gate"], "missing": stands.missing}
    hub.record(
        connection,
        actor=person,
        action="release.approve",
        subject=model["release"],
        detail=detail,
        correlation=model["correlation"],
    )


def _queue(connection: Connection, release: str) -> int | None:
    name = f"{queue.PUBLISH}:{release}"
    return queue.defer(
        connection, queue.PUBLISH, {"release": release}, lock=queue.PUBLISH, queueing_lock=name
    )


def _reason(model: Row) -> str:
    return str(model["gate"].get("reason") or "no reason given")
