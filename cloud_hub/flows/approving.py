"""What a yes would do, told before anybody gives it: whose voices count, and what it would still take."""

from dataclasses import dataclass

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows.release import author_of, check_known
from cloud_hub.flows.runs import SQL
from cloud_hub.hub import Hub
from cloud_hub.registry.approvals import Standing, standing
from cloud_hub.registry.models import SQL as REGISTRY
from models import use_case as use_cases
from models.declared.judging import Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    state: str  # of the model
    now: Standing
    then: Standing  # after the person's yes
    said: bool  # the person has said yes already
    is_author: bool  # the person asked for the training
    author: str  # who did; "": nobody knows
    rule: Approval
    hindrance: str = ""  # why a yes would be refused, whatever the gate says


def outlook(hub: Hub, release: str, *, person: str) -> Outlook:
    """Where ``release`` stands, and where it would with the yes of ``person``; changes nothing."""
    with hub.database.transaction() as connection:
        model = connection.execute(REGISTRY["one"], {"release": release}).fetchone()
        if model is None:
            raise NotFoundError("release", release)
        rule = use_cases.find(model["use_case"], hub.config.use_cases).approval
        said = [row["person"] for row in connection.execute(REGISTRY["approvals"], {"release": release})]
        actors = [*said, person, author_of(connection, model)]
        *voices, voice, author = (
            row["voice"] for row in connection.execute(SQL["voices"], {"actors": actors})
        )
        try:
            check_known(connection, actors, rule)
            hindrance = ""
        except ConflictError as error:
            hindrance = str(error)
    return Outlook(
        state=model["state"],
        now=standing(voices, author, rule),
        then=standing([*voices, voice], author, rule),
        said=voice in voices,
        is_author=bool(author) and voice == author,
        author=author,
        rule=rule,
        hindrance=hindrance,
    )
