"""When a rollout may widen, must wait, must halt or is done. Pure: counts in, decision out.

Success is a commit after probation and nothing else. Each wave is judged by
itself, so that healthy older waves cannot dilute a sick new one, and a wave that
proved nothing opens no other. What a decision depends on is how many devices stand
where, not the order in which that became known, nor how many devices there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto

from cloud_hub.rollout.plan import Plan, Silent
from cloud_hub.rollout.states import COMMITTED, FAILURES, IDLE, SETTLED, SILENT, WAITING, WITHDRAWN
from wire.clock import to_datetime

HOUR_US = 3_600_000_000
NEARLY = 1e-9  # shares of whole devices are compared as floats


class Verdict(StrEnum):
    WAIT = auto()
    WIDEN = auto()
    AWAIT = auto()  # a person's approval of the next wave
    HALT = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The devices of one wave that stand at the same place."""

    wave: int  # from 1
    state: str
    devices: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """How far a rollout has been opened."""

    wave: int = 0  # the newest open one; 0: none
    passed_us: int | None = None  # since when it has proved enough
    approvals: tuple[int, ...] = ()  # waves that await a person
    approved: int = 0  # the newest wave that a person let open


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One wave, counted."""

    wave: int
    size: int
    committed: int
    failed: int  # silent devices among them, where the plan says so
    skipped: int  # silent or withdrawn, counted as nothing
    withdrawn: int
    waiting: int

    @property
    def open(self) -> int:
        return self.size - self.committed - self.failed - self.skipped

    def halts(self, plan: Plan) -> bool:
        """Whether more of those that count have failed than the plan tolerates."""
        return self.failed > (self.size - self.skipped) * plan.tolerated + NEARLY

    def succeeds(self, plan: Plan) -> bool:
        """Whether enough committed: the plan's share of all but the withdrawn ones, else one at least."""
        asked = self.size - self.withdrawn
        return self.committed > 0 and self.committed >= asked * (plan.succeed or 0) - NEARLY

    def __str__(self) -> str:
        parts = (
            f"{self.committed} of {self.size} committed",
            self.failed and f"{self.failed} failed",
            self.skipped and f"{self.skipped} skipped",
            self.open > self.waiting and f"{self.open - self.waiting} under way",
            self.waiting and f"{self.waiting} waiting",
        )
        return f"wave {self.wave}: " + ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    verdict: Verdict
    reason: str
    wave: int  # the newest open one once this is carried out
    passed_us: int | None = None
    room: int = 0  # how many waiting devices of open waves may be offered the release now


def decide(plan: Plan, groups: Iterable[Group], opened: Opened, *, now_us: int) -> Decision:
    """What to do now. Carried out twice it offers nothing twice: there is room for waiting devices only."""
    known = tuple(groups)
    verdict, reason, passed_us = _judge(plan, known, opened, now_us)
    if verdict is Verdict.WIDEN and _unapproved(opened):
        verdict, reason = Verdict.AWAIT, f"awaits approval of wave {opened.wave + 1}; {reason}"
    widened = verdict is Verdict.WIDEN
    wave = opened.wave + widened
    going = verdict not in (Verdict.HALT, Verdict.DONE)
    return Decision(
        verdict=verdict,
        reason=reason,
        wave=wave,
        passed_us=None if widened else passed_us,
        room=_room(plan, known, wave) if going else 0,
    )


def tally(plan: Plan, groups: Iterable[Group], wave: int) -> Tally:
    """The devices of one wave, counted as ``plan`` says."""
    members = [group for group in groups if group.wave == wave]
    silent, withdrawn = _count(members, {SILENT}), _count(members, {WITHDRAWN})
    fails = plan.silent is Silent.FAIL
    committed = _count(members, {COMMITTED})
    failed = _count(members, FAILURES) + (silent if fails else 0)
    return Tally(
        wave=wave,
        size=sum(group.devices for group in members),
        committed=committed,
        failed=failed,
        skipped=_count(members, SETTLED) - committed - failed,
        withdrawn=withdrawn,
        waiting=_count(members, {WAITING}),
    )


def last_wave(groups: Iterable[Group]) -> int:
    return max((group.wave for group in groups), default=0)


def joining_wave(groups: Sequence[Group], wave: int) -> int:
    """Where a late device goes: into the last wave, or one after it where all of that one have answered.

    So it is judged with no wave that was passed already, and gets nothing before others have proved it.
    """
    last = last_wave(groups)
    answered = all(group.state in SETTLED for group in groups if group.wave == last)
    return last + 1 if wave >= last and answered else last


def _judge(
    plan: Plan, groups: Sequence[Group], opened: Opened, now_us: int
) -> tuple[Verdict, str, int | None]:
    """The verdict, why, and since when the newest wave has proved enough."""
    if opened.wave == 0:
        return Verdict.WIDEN, "the first wave opens", None
    tallies = [tally(plan, groups, number) for number in range(1, opened.wave + 1)]
    for judged in tallies:
        if judged.halts(plan):
            return Verdict.HALT, f"{judged}; tolerated is {_percent(plan.tolerated)} of a wave", None
    newest, last = tallies[-1], opened.wave >= last_wave(groups)
    # Nobody is offered anything after the last wave, so it ends with the last answer of all.
    pending = sum(judged.open for judged in tallies) if last else newest.open
    early = plan.succeed is not None and not last and newest.succeeds(plan)
    if pending and not early:
        return Verdict.WAIT, str(newest), None
    if not newest.succeeds(plan) and not (last and _proven_before(plan, tallies)):
        return Verdict.HALT, f"{newest}; {_shortfall(plan)}", None
    passed_us = now_us if opened.passed_us is None else opened.passed_us
    soaked_us = passed_us + round(plan.soak_hours * HOUR_US)
    if now_us < soaked_us:
        until = to_datetime(soaked_us).isoformat(timespec="seconds")
        return Verdict.WAIT, f"{newest}; soaks until {until}", passed_us
    return (Verdict.DONE if last else Verdict.WIDEN), str(newest), passed_us


def _proven_before(plan: Plan, tallies: Sequence[Tally]) -> bool:
    """Whether the last wave may stand on those before: it has no share to reach, or nobody is left in it."""
    unasked = tallies[-1].size == tallies[-1].withdrawn
    return (plan.succeed is None or unasked) and any(judged.committed for judged in tallies)


def _shortfall(plan: Plan) -> str:
    if plan.succeed is None:
        return "without a commit it proves nothing"
    return f"all have answered, expected {_percent(plan.succeed)} of the wave to commit"


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"


def _unapproved(opened: Opened) -> bool:
    return opened.wave + 1 in opened.approvals and opened.wave + 1 > opened.approved


def _room(plan: Plan, groups: Sequence[Group], wave: int) -> int:
    """How many more may be under way: those that wait in open waves, as far as the cap allows."""
    reached = [group for group in groups if group.wave <= wave]
    waiting = _count(reached, {WAITING})
    if plan.at_once is None:
        return waiting
    under_way = sum(group.devices for group in reached if group.state not in SETTLED | IDLE)
    return max(0, min(waiting, plan.at_once - under_way))


def _count(groups: Iterable[Group], states: Iterable[str]) -> int:
    wanted = frozenset(states)
    return sum(group.devices for group in groups if group.state in wanted)
