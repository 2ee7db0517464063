"""A person's no to a model, with the reason, for good.

The gate's no can be overridden by people who say why. A person's cannot: nobody approves what was
refused, and nothing rolls it out. What is released already is signed and may run on devices, so
that a word here would not stop it: its rollouts are aborted or undone instead.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from cloud_hub.errors import ConflictError
from cloud_hub.flows.release import model_of
from cloud_hub.flows.runs import SQL
from cloud_hub.hub import Hub
from cloud_hub.registry.models import SQL as REGISTRY
from cloud_hub.store.database import Connection, Row

LONGEST_REASON = 500  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    release: str
    person: str
    reason: str
    refused: datetime
    new: bool  # False: it had been refused before, and nothing was changed


def refuse(hub: Hub, release: str, *, person: str, reason: str) -> Refusal:
    """Note that ``person`` refuses ``release``. Whoever says so first is who refused it.

    ``ConflictError`` where it is released, or where ``reason`` says nothing or too much.
    """
    said = _checked(reason)
    with hub.database.transaction() as connection:
        model = model_of(connection, release)
        known = connection.execute(REGISTRY["refusal"], {"release": release}).fetchone()
        if known is not None:
            return Refusal(release=release, new=False, **known)
        _check_open(model)
        made = Refusal(release=release, person=person, reason=said, refused=hub.clock.now(), new=True)
        connection.execute(SQL["insert_refusal"], asdict(made))
        connection.execute(SQL["refuse"], {"release": release})
        connection.execute(SQL["unname_candidate"], {"release": release})
        _record(hub, connection, model, person=person, reason=said)
    return made


def _checked(reason: str) -> str:
    """``reason`` on one line."""
    said = " ".join(reason.split())
    if not said:
        raise ConflictError("expected a reason why it is refused, got none: it goes into the audit chain")
    if len(said) > LONGEST_REASON:
        raise ConflictError(f"expected a reason of at most {LONGEST_REASON} characters, got {len(said)}")
    return said


def _check_open(model: Row) -> None:
    release = model["release"]
    if model["state"] == "released":
        raise ConflictError(
            f"{release} is released, and what is released is not refused any more: "
            "abort or undo its rollouts, so that no device runs it"
        )
    if model["state"] == "removed":
        raise ConflictError(
            f"the files of {release} were removed on {model['removed']:%Y-%m-%d}: nobody can approve it"
        )


def _record(hub: Hub, connection: Connection, model: Row, *, person: str, reason: str) -> None:
    hub.record(
        connection,
        actor=person,
        action="release.refuse",
        subject=model["release"],
        detail={"reason": reason, "was": model["state"], "gate": model["gate"]},
        correlation=model["correlation"],
    )
