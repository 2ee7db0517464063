"""What somebody asks to be rolled out, held against what they may: a preview, or what is wrong and where.

The one way to a start from afar, for pages and programs: a name at a site that the caller may not see is
no name, a device at a site where they start nothing is never in the plan, and no rollout is ended that
they could not end by itself. What was previewed is what ``begin`` starts, once.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from cloud_hub.console import reach
from cloud_hub.console.here import caller, hub, seen_sites, sites_with
from cloud_hub.console.sentences import sentence
from cloud_hub.errors import ConflictError, HubError, NotFoundError
from cloud_hub.identity.people.permissions import Permission, roles_with
from cloud_hub.rollout.drafts import Draft
from cloud_hub.rollout.plan import Plan, PlanError
from cloud_hub.rollout.preview import Preview
from cloud_hub.store.database import load_queries

SQL = load_queries("cloud_hub.console.rollouts", "start.sql")
WHOLE = ""  # the field of what is wrong with no field alone
UNSEEN = "-"  # the seal of whoever saw no preview

_WORDS = {"tag": "has the tag", "profile": "has the profile", "target": "is of the target"}


class DraftError(HubError):
    """A draft that cannot be rolled out: what is wrong by field, and as which status it is told."""

    def __init__(self, faults: Mapping[str, str], status: int = 400) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a draft would do for this caller."""

    draft: Draft
    ahead: Preview
    foreign: tuple[str, ...] = ()  # rollouts in the way that the caller may not end
    supersede: bool = False

    @property
    def blocked(self) -> bool:
        """Whether rollouts in the way let nothing start."""
        return bool(self.ahead.others) and (not self.supersede or bool(self.foreign))


def foresee(draft: Draft) -> Asked:
    """What would happen; ``DraftError`` where nothing could."""
    draft = draft.within(sites_with(Permission.START))
    read = draft.read()
    faults = {**read.faults, **_unknown(draft, read.faults)}
    if read.plan is None or faults:
        raise DraftError(faults)
    _check_sites(draft.lists["site"])
    ahead = _ahead(read.plan)
    _check_sites({device.site for device in ahead.devices})
    others = [other.id for other in ahead.others]
    rights = caller().rights
    foreign = tuple(each for each in others if not rights.may(Permission.STEER, reach.rollout(each)))
    return Asked(draft=draft, ahead=ahead, foreign=foreign, supersede=read.supersede)


def begin(draft: Draft, seal: str) -> str:
    """Start what was foreseen under ``seal``, and return its name.

    ``StartedError`` where the caller has done so before, ``ChangedError`` where it would be
    something else by now, ``ConflictError`` while another rollout is in the way.
    """
    draft = draft.within(sites_with(Permission.START))
    read = draft.read()
    if read.plan is None:
        raise DraftError(read.faults)
    _check_sites(draft.lists["site"])
    rollouts, known = hub().rollouts, seal or UNSEEN
    rollouts.check_once(read.plan, known, actor=caller().name)  # its devices may run the release by now
    asked = foresee(draft)
    if asked.foreign and read.supersede:
        raise DraftError({"supersede": _not_yours(asked.foreign)}, 403)
    return rollouts.start(read.plan, actor=caller().name, supersede=read.supersede, seal=known)


def _ahead(plan: Plan) -> Preview:
    try:
        return hub().rollouts.preview(plan)
    except NotFoundError as error:
        raise DraftError({"release": f"There is {error}."}) from error
    except PlanError as error:
        raise DraftError({WHOLE: sentence(str(error))}) from error
    except ConflictError as error:
        raise DraftError({"release": sentence(str(error))}, 409) from error


def _unknown(draft: Draft, faulty: Container[str]) -> dict[str, str]:
    """Faults: a name that means nothing is a slip, and what the caller may not see means nothing."""
    lists = {name: [] if name in faulty else list(names) for name, names in draft.lists.items()}
    if not any(lists.values()):
        return {}
    missing: dict[str, list[str]] = {}
    for row in hub().database.rows(SQL["unknown"], lists | {"seen": seen_sites()}):
        missing.setdefault(row["field"], []).append(row["name"])
    return {name: _missing(name, names) for name, names in missing.items()}


def _missing(name: str, names: list[str]) -> str:
    told = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"No device {_WORDS[name]} {told}." if name in _WORDS else f"There is no {name} {told}."


def _check_sites(sites: Iterable[str]) -> None:
    mine = caller().rights.sites(Permission.START)
    beyond = sorted(set(sites) - mine) if mine is not None else []
    if beyond:
        roles = " or ".join(roles_with(Permission.START))
        sentence = f"You start rollouts at {', '.join(sorted(mine or ()))}: at {', '.join(beyond)} it takes"
        raise DraftError({"site": f"{sentence} the role {roles} there."}, 403)


def _not_yours(rollouts: tuple[str, ...]) -> str:
    roles = " or ".join(roles_with(Permission.STEER))
    return f"To end {', '.join(rollouts)} takes the role {roles} at every site that it concerns."
