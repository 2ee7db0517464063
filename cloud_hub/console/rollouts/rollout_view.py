"""What the page of one rollout shows: waves with their verdicts, a page of devices, what acts would do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import url_for

from cloud_hub.console import listing, reach
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.console.rollouts import rollout_seen
from cloud_hub.console.rollouts.acting import NEEDED
from cloud_hub.identity.people.permissions import Rights, Role, roles_with
from cloud_hub.rollout import members, read, windows
from cloud_hub.rollout.judged import Judged, judged, soaks_until
from cloud_hub.rollout.plan import Plan, PlanError
from cloud_hub.rollout.rollouts import TRANSITIONS
from cloud_hub.store.database import Database

GOING = frozenset({"running", "awaiting", "paused"})
SPAN = 100.0  # of a time axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A wave on the time axis of its rollout, from 0 to ``SPAN``."""

    kind: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Where devices wait for a window: how many, and when it opens; None: it is open."""

    zone: str
    devices: int
    opens: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    rollout: read.Rollout
    plan: Plan
    offered: int
    waves: tuple[tuple[Judged, Bar | None], ...]
    history: tuple[read.Decided, ...]
    soaks_until: datetime | None
    openings: tuple[Opening, ...]
    effects: members.Effects | None  # looks at each device, so None for whoever may do nothing to it
    possible: tuple[str, ...]  # acts that this caller may do now
    refused: dict[str, tuple[Role, ...]]  # acts that others may
    asked: dict[str, str]
    part: listing.Part
    states: dict[str, int]  # of the devices that match
    sites: dict[str, str]  # its sites, with their zones
    devices: tuple[members.Member, ...]

    def link(self, **changes: object) -> str:
        """This page with other filters, wherever it is shown; what is not named stays."""
        told: dict[str, Any] = {**self.asked, **changes}
        kept = {name: value for name, value in told.items() if value not in ("", None)}
        return url_for("rollout.show", name=self.rollout.id, **kept)

    @property
    def here(self) -> str:
        """The very page, for what keeps itself current."""
        return self.link(page=self.part.number if self.part.number > 1 else None)


def look(name: str, rights: Rights) -> Shown:
    """``NotFoundError`` where there is no such rollout."""
    database, sites, now = hub().database, seen_sites(), hub().clock.now()
    head = read.summary(database, name)
    plan, history = Plan.parse(head.rollout.plan), read.history(database, name)
    failures = members.failures(database, name, sites=sites)
    waves = judged(head.rollout, head.waves, history, failures, now)
    possible = [each for each, (begins, _) in TRANSITIONS.items() if head.rollout.state in begins]
    concerned = reach.rollout(name)
    mine = tuple(each for each in possible if rights.may(NEEDED[each], concerned))
    return Shown(
        rollout=head.rollout,
        plan=plan,
        offered=head.offered,
        waves=tuple(zip(waves, _bars(head.rollout, waves, now), strict=True)),
        history=rollout_seen.history(history),
        soaks_until=soaks_until(head.rollout),
        openings=_openings(database, head.rollout, plan, sites, now),
        effects=members.effects(database, name) if mine else None,
        possible=mine,
        refused={each: roles_with(NEEDED[each]) for each in possible if each not in mine},
        **_devices(database, head.rollout, sites),
    )


def _devices(database: Database, rollout: read.Rollout, sites: list[str] | None) -> dict[str, Any]:
    known = tuple(str(wave) for wave in range(1, rollout.waves + 1))
    asked = listing.asked(members.FILTERS, {"wave": known})
    states = members.counts(database, rollout.id, asked, sites=sites)
    total = states.get(asked["state"], 0) if asked["state"] else sum(states.values())
    part = listing.Part(asked=listing.page_number(), total=total)
    found = members.page(database, rollout.id, asked, size=part.size, offset=part.offset, sites=sites)
    return {
        "asked": asked,
        "part": part,
        "states": states,
        "sites": members.places(database, rollout.id, sites=sites),
        "devices": tuple(found),
    }


def _openings(
    database: Database, rollout: read.Rollout, plan: Plan, sites: list[str] | None, now: datetime
) -> tuple[Opening, ...]:
    """Where devices of open waves wait for an hour, while the rollout goes on."""
    if not plan.windows or rollout.state not in GOING:
        return ()
    zones = members.waiting(database, rollout.id, rollout.wave, sites=sites)
    return tuple(
        Opening(zone=zone, devices=devices, opens=_opens(plan, zone, now)) for zone, devices in zones.items()
    )


def _opens(plan: Plan, zone: str, now: datetime) -> datetime | None:
    try:
        found = windows.opens(plan.windows, zone, now)
    except PlanError:
        return None
    return found if found > now else None


def _bars(rollout: read.Rollout, waves: list[Judged], now: datetime) -> list[Bar | None]:
    """Each wave from when it opened until it was decided on, or now."""
    going = rollout.state in GOING
    ends = [each.closed or (now if going else rollout.changed) for each in waves]
    last = max([rollout.created, *(end for each, end in zip(waves, ends, strict=True) if each.opened)])
    whole = (last - rollout.created).total_seconds()
    return [
        None if each.opened is None or whole <= 0 else _bar(rollout, each, each.opened, end, whole)
        for each, end in zip(waves, ends, strict=True)
    ]


def _bar(rollout: read.Rollout, wave: Judged, opened: datetime, end: datetime, whole: float) -> Bar:
    start, stop = ((time - rollout.created).total_seconds() / whole * SPAN for time in (opened, end))
    return Bar(kind=wave.status.state, start=start, end=max(stop, start))
