"""Rollouts as people look at them: how far, how well, and why it stands where it stands.

Read-only: the CLI and the console show these values and write no SQL of their own.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud_hub.errors import NotFoundError
from cloud_hub.rollout import members
from cloud_hub.rollout.members import Member, Sites
from cloud_hub.rollout.plan import Plan
from cloud_hub.rollout.policy import Group, Tally, tally
from cloud_hub.rollout.states import SETTLED
from cloud_hub.store.database import Database, Row, load_queries

SQL = load_queries("cloud_hub.rollout", "read.sql")

ANY = {"rollout": None, "use_case": "", "state": None, "offset": 0}  # of the query of rollouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    id: str
    use_case: str
    release: str
    state: str  # running, awaiting (approval), paused, halted, aborted, undone or done
    reason: str  # why it is in that state, or what it waits for
    wave: int  # the newest open one
    waves: int
    devices: int
    states: dict[str, int]  # devices by where they stand
    plan: dict[str, Any]
    correlation: str
    created_by: str
    created: datetime
    changed: datetime
    approvals: list[int]  # waves that open only once a person has approved
    awaiting: int | None  # the wave that awaits approval now
    passed: datetime | None  # since when the newest open wave has proved enough, and soaks
    first_failure: datetime | None  # of what halted it, as the hub received it
    halted: datetime | None
    seconds_to_halt: float | None  # of clock time


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveStatus:
    wave: int
    state: str  # "waiting", "open" or "passed"; "failed" is what halted the rollout
    size: int
    committed: int
    failed: int
    skipped: int  # silent or withdrawn, counted as nothing
    withdrawn: int
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An act of a person, or a verdict of the policy with what it rests on."""

    time: datetime
    actor: str
    action: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How far a rollout is, at a cost that does not grow with what is shown of each device."""

    rollout: Rollout
    waves: tuple[WaveStatus, ...]
    offered: int  # devices that were ever sent a directive


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutDetail:
    rollout: Rollout
    waves: tuple[WaveStatus, ...]
    devices: tuple[Member, ...]  # those that failed first
    history: tuple[Decided, ...]  # in order
    offered: int


def rollouts(database: Database, *, most: int = 100, sites: Sites = None) -> list[Rollout]:
    """The newest rollouts, newest first; with ``sites``, those that concern a device at one of them."""
    wanted = ANY | {"size": most, "sites": sites}
    return [Rollout(**row) for row in database.rows(SQL["rollouts"], wanted)]


def summary(database: Database, name: str) -> Summary:
    """One rollout and its waves; ``NotFoundError`` where there is none."""
    row = database.row(SQL["rollouts"], ANY | {"rollout": name, "size": 1, "sites": None})
    if row is None:
        raise NotFoundError("rollout", name)
    found = Rollout(**row)
    counted = database.rows(SQL["groups"], {"rollout": name})
    groups = [Group(wave=each["wave"], state=each["state"], devices=each["devices"]) for each in counted]
    offered = sum(each["offered"] for each in counted)
    return Summary(rollout=found, waves=_waves(found, groups), offered=offered)


def rollout(database: Database, name: str, *, most: int | None = None, sites: Sites = None) -> RolloutDetail:
    """One rollout whole, with at most so many devices, of ``sites`` alone; ``NotFoundError`` for none."""
    head = summary(database, name)
    devices = members.page(database, name, {}, size=most, offset=0, sites=sites)
    return RolloutDetail(
        rollout=head.rollout,
        waves=head.waves,
        devices=tuple(devices),
        history=history(database, name),
        offered=head.offered,
    )


def history(database: Database, name: str) -> tuple[Decided, ...]:
    """Who or what decided about a rollout, and why, in order."""
    return tuple(Decided(**each) for each in database.rows(SQL["history"], {"rollout": name}))


def sent_back(database: Database, name: str) -> tuple[int, int]:
    """Of the devices that an undo sends back: how many are still on the way, and how many failed at it."""
    row = database.row(SQL["sent_back"], {"rollout": name, "settled": list(SETTLED)})
    assert row is not None
    return row["open"], row["failed"]


def journal(database: Database, device: str, *, most: int = 50) -> list[Row]:
    """What a device reported about its updates, newest first."""
    return database.rows(SQL["reports"], {"device": device, "size": most, "offset": 0})


def rejections(database: Database, device: str) -> list[Row]:
    """What was not stored of a device's messages, by reason: count, still waiting, last, an example."""
    return database.rows(SQL["rejections"], {"device": device})


def _waves(found: Rollout, groups: list[Group]) -> tuple[WaveStatus, ...]:
    plan = Plan.parse(found.plan)
    counted = [tally(plan, groups, number) for number in range(1, found.waves + 1)]
    return tuple(_wave(found, plan, each) for each in counted)


def _wave(found: Rollout, plan: Plan, counted: Tally) -> WaveStatus:
    passed = counted.wave < found.wave or found.state == "done"
    state = "failed" if counted.halts(plan) else "passed" if passed else "open"
    return WaveStatus(
        wave=counted.wave,
        state=state if counted.wave <= found.wave else "waiting",
        size=counted.size,
        committed=counted.committed,
        failed=counted.failed,
        skipped=counted.skipped,
        withdrawn=counted.withdrawn,
        open=counted.open,
    )
