"""When a rollout may widen, must wait, must halt or is done. Pure: standings in, decision out.

Success is a commit after probation and nothing else. Each wave is judged by
itself, so that healthy older waves cannot dilute a sick new one, and a wave that
proved nothing opens no other. What a decision depends on is where each device
stands, not the order in which that became known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, auto

from cloud_hub.rollout.plan import Plan, Silent
from cloud_hub.rollout.states import COMMITTED, FAILURES, RETURNING, SETTLED, SILENT, WAITING
from wire.clock import to_datetime

HOUR_US = 3_600_000_000


class Verdict(StrEnum):
    WAIT = auto()
    WIDEN = auto()
    HALT = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One device in the rollout."""

    device: int
    wave: int  # from 1
    state: str
    offered_us: int = 0  # when its directive was issued
    since_us: int = 0  # when its state became known


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One opened wave, counted."""

    wave: int
    size: int
    committed: int
    failed: int  # silent devices among them, where the plan says so
    skipped: int  # silent or withdrawn, counted as nothing
    settled_us: int  # when the newest of its states became known

    @property
    def open(self) -> int:
        return self.size - self.committed - self.failed - self.skipped

    def __str__(self) -> str:
        parts = (
            f"{self.committed} of {self.size} committed",
            self.failed and f"{self.failed} failed",
            self.skipped and f"{self.skipped} skipped",
            self.open and f"{self.open} under way",
        )
        return f"wave {self.wave}: " + ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    verdict: Verdict
    reason: str
    wave: int  # the newest open one once this is carried out
    offer: tuple[int, ...] = ()  # devices to offer the release to now
    silent: tuple[int, ...] = ()  # devices whose time ran out


def decide(
    plan: Plan, standings: Iterable[Standing], *, wave: int, now_us: int, least_us: int = 0
) -> Decision:
    """What to do now that waves up to ``wave`` are open (0: none).

    A device has the plan's timeout to answer, and ``least_us`` at the least.
    Carried out twice it offers nothing twice: only devices still waiting are offered anything.
    """
    known = tuple(standings)
    late = frozenset(overdue(plan, known, wave=wave, now_us=now_us, least_us=least_us))
    devices = [
        replace(item, state=SILENT, since_us=now_us) if item.device in late else item for item in known
    ]
    verdict, reason = _judge(plan, devices, wave, now_us)
    opened = wave + 1 if verdict is Verdict.WIDEN else wave
    offering = verdict in (Verdict.WIDEN, Verdict.WAIT)
    offer = [item.device for item in devices if offering and item.wave <= opened and item.state == WAITING]
    return Decision(
        verdict=verdict, reason=reason, wave=opened, offer=tuple(offer), silent=tuple(sorted(late))
    )


def overdue(
    plan: Plan, standings: Iterable[Standing], *, wave: int, now_us: int, least_us: int = 0
) -> tuple[int, ...]:
    """Devices of opened waves whose final word did not come within the plan's timeout."""
    limit_us = max(round(plan.timeout_hours * HOUR_US), least_us)
    return tuple(
        item.device
        for item in standings
        if item.wave <= wave
        and item.state not in SETTLED
        and item.state not in (WAITING, RETURNING)
        and now_us - item.offered_us >= limit_us
    )


def tally(plan: Plan, standings: Iterable[Standing], wave: int) -> Tally:
    """The devices of one wave, counted as ``plan`` says."""
    members = [item for item in standings if item.wave == wave]
    failed = sum(item.state in FAILURES for item in members)
    committed = sum(item.state == COMMITTED for item in members)
    settled = sum(item.state in SETTLED for item in members)
    silent = sum(item.state == SILENT for item in members)
    failed += silent if plan.silent is Silent.FAIL else 0
    return Tally(
        wave=wave,
        size=len(members),
        committed=committed,
        failed=failed,
        skipped=settled - committed - failed,
        settled_us=max((item.since_us for item in members), default=0),
    )


def _judge(plan: Plan, devices: Sequence[Standing], wave: int, now_us: int) -> tuple[Verdict, str]:
    if wave == 0:
        return Verdict.WIDEN, "the first wave opens"
    tallies = [tally(plan, devices, number) for number in range(1, wave + 1)]
    for judged in tallies:
        if judged.failed > (judged.size - judged.skipped) * plan.tolerated:
            return Verdict.HALT, f"{judged}; tolerated is {plan.tolerated:.0%} of a wave"
    newest = tallies[-1]
    if newest.open:
        return Verdict.WAIT, str(newest)
    last = wave >= max(item.wave for item in devices)
    # Nobody is offered anything after the last wave: earlier ones may have proved the release.
    proven = any(judged.committed for judged in (tallies if last else tallies[-1:]))
    if not proven:
        return Verdict.HALT, f"{newest}; without a commit it proves nothing"
    soaked_us = newest.settled_us + round(plan.soak_hours * HOUR_US)
    if now_us < soaked_us:
        return Verdict.WAIT, f"{newest}; soaks until {to_datetime(soaked_us).isoformat(timespec='seconds')}"
    return (Verdict.DONE if last else Verdict.WIDEN), str(newest)
