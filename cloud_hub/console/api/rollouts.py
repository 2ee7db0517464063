"""Rollouts: how far each is, how well it goes, and why it stands where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cloud_hub.console import acting, reach, rollout_seen
from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.rollout import read
from cloud_hub.rollout.read import Decided, WaveStatus
from cloud_hub.rollout.rollouts import TRANSITIONS
from cloud_hub.rollout.states import FAILURES, SILENT
from cloud_hub.store.database import load_queries

SQL = load_queries("cloud_hub.console.api", "rollouts.sql")

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
    values = {"use_case": query.use_case, "state": query.state, "sites": seen_sites()}
    return paging.looked_up(query, SQL["rollouts"], values, _rollout)


@operation("GET", "/rollouts/<name>", Permission.SEE, of=reach.rollout)
def rollout(name: str) -> RolloutDetailTold:
    """One rollout: its plan, its waves, who or what decided and why."""
    found = read.rollout(hub().database, name, most=0)
    rights, sites = caller().rights, reach.rollout(name)
    possible = [act for act, (begins, _) in TRANSITIONS.items() if found.rollout.state in begins]
    told = {each: getattr(found.rollout, each) for each in RolloutTold.__dataclass_fields__}
    return RolloutDetailTold(
        rollout=_rollout(told),
        waves=found.waves,
        offered=found.offered,
        acts=tuple(act for act in possible if rights.may(acting.NEEDED[act], sites)),
        history=rollout_seen.history(found.history),
    )


@operation("GET", "/rollouts/<name>/devices", Permission.SEE, of=reach.rollout)
def rollout_devices(name: str, query: DevicesOf) -> Page[RolloutDeviceTold]:
    """The devices of a rollout that the caller may see, those that failed first."""
    values = {
        "rollout": name,
        "failures": [*FAILURES, SILENT],
        "sites": seen_sites(),
        "state": query.state,
        "text": query.text,
    }
    return paging.looked_up(query, SQL["devices"], values, lambda row: RolloutDeviceTold(**row))


def _rollout(row: Mapping[str, Any]) -> RolloutTold:
    told = {"approvals": tuple(row["approvals"] or ()), "plan": rollout_seen.plan(row["plan"])}
    return RolloutTold(**{**row, **told})
