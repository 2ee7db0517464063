"""Rollouts: how far each is, how well it goes, and why it stands where it stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cloud_hub.console import reach
from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.console.rollouts import acting, rollout_seen
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.rollout import members, read
from cloud_hub.rollout.members import Member
from cloud_hub.rollout.read import Decided, Rollout, WaveStatus
from cloud_hub.rollout.rollouts import TRANSITIONS

State = Literal["running", "awaiting", "paused", "halted", "aborted", "undone", "done"]


class RolloutsAsked(Paging):
    use_case: Text = ""
    state: State | None = None


class DevicesOf(Paging):
    """``state`` is where a device stands, such as waiting, offered, committed or rolled-back."""

    state: Text = ""
    text: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutTold:
    """``states`` counts devices by where they stand; ``awaiting`` is the wave that awaits approval now.

    What ``plan`` names that the caller may not see is told as another site or device.
    """

    id: str
    use_case: str
    release: str
    state: State
    reason: str
    wave: int
    waves: int
    devices: int
    states: dict[str, int]
    plan: dict[str, Any]
    correlation: str
    created_by: str
    created: datetime
    changed: datetime
    approvals: tuple[int, ...]
    awaiting: int | None
    first_failure: datetime | None
    halted: datetime | None
    seconds_to_halt: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutDetailTold:
    """``acts``: what the caller may do to it now. ``history`` is in order."""

    rollout: RolloutTold
    waves: tuple[WaveStatus, ...]
    offered: int
    acts: tuple[str, ...]
    history: tuple[Decided, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutDeviceTold:
    """One device in a rollout, and the last thing it reported of its directive."""

    device: str
    site: str
    wave: int
    state: str
    reason: str
    sequence: int | None
    mode: str | None
    issued: datetime | None
    previous: str | None
    changed: datetime
    running: str | None
    reported: str | None
    event: str | None
    said: str | None
    evidence: dict[str, Any] | None
    reported_at: datetime | None


@operation("GET", "/rollouts", Permission.SEE)
def rollouts(query: RolloutsAsked) -> Page[RolloutTold]:
    """Rollouts that concern a device which the caller may see, newest first."""
    values = read.ANY | {"use_case": query.use_case, "state": query.state, "sites": seen_sites()}
    return paging.looked_up(
        query, read.SQL["rollouts"], values, lambda row: _rollout(Rollout(**row)), alike=read.SQL["ids"]
    )


@operation("GET", "/rollouts/<name>", Permission.SEE, of=reach.rollout)
def rollout(name: str) -> RolloutDetailTold:
    """One rollout: its plan, its waves, who or what decided and why."""
    found = read.rollout(hub().database, name, most=0)
    rights, sites = caller().rights, reach.rollout(name)
    possible = [act for act, (begins, _) in TRANSITIONS.items() if found.rollout.state in begins]
    return RolloutDetailTold(
        rollout=_rollout(found.rollout),
        waves=found.waves,
        offered=found.offered,
        acts=tuple(act for act in possible if rights.may(acting.NEEDED[act], sites)),
        history=rollout_seen.history(found.history),
    )


@operation("GET", "/rollouts/<name>/devices", Permission.SEE, of=reach.rollout)
def rollout_devices(name: str, query: DevicesOf) -> Page[RolloutDeviceTold]:
    """The devices of a rollout that the caller may see, those that failed first."""
    database, sites = hub().database, seen_sites()
    asked = {"state": query.state, "text": query.text}
    counts = members.counts(database, name, asked, sites=sites)
    rows = members.page(database, name, asked, size=query.size, offset=query.offset, sites=sites)
    total = counts.get(query.state, 0) if query.state else sum(counts.values())
    return paging.told(query, [_device(each) for each in rows], total)


def _rollout(found: Rollout) -> RolloutTold:
    told = {name: getattr(found, name) for name in RolloutTold.__dataclass_fields__}
    seen = {"approvals": tuple(found.approvals), "plan": rollout_seen.plan(found.plan)}
    return RolloutTold(**told | seen)


def _device(found: Member) -> RolloutDeviceTold:
    return RolloutDeviceTold(
        **{name: getattr(found, name) for name in RolloutDeviceTold.__dataclass_fields__}
    )
