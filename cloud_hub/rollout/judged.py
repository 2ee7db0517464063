"""The verdict on each wave with what it rests on: what was counted, what the plan asks, and when. Pure.

Once a rollout is undone its devices tell how they came back, and no longer how the release did: then
what the policy said at the time is all that is left of a verdict.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud_hub.rollout.members import Failure
from cloud_hub.rollout.plan import Plan
from cloud_hub.rollout.policy import NEARLY, Verdict
from cloud_hub.rollout.read import Decided, Rollout, WaveStatus

_DECIDED = {f"rollout.{verdict}": verdict for verdict in (Verdict.WIDEN, Verdict.HALT, Verdict.DONE)}
_ENDS = frozenset({"rollout.halt", "rollout.done", "rollout.abort", "rollout.supersede", "rollout.undo"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    found: str
    asked: str
    passed: bool | None  # None: it is not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One wave."""

    status: WaveStatus
    checks: tuple[Check, ...]
    failures: tuple[Failure, ...]
    opened: datetime | None
    closed: datetime | None  # the next one opened, or all of it ended; None: it is open
    said: str  # by the policy, when it decided on it


def judged(
    rollout: Rollout,
    waves: Sequence[WaveStatus],
    history: Sequence[Decided],
    failures: Sequence[Failure],
    now: datetime,
) -> list[Judged]:
    """Every wave of ``rollout`` by what is known ``now``."""
    plan = Plan.parse(rollout.plan)
    opened = _openings(history)
    ended = next((each.time for each in history if each.action in _ENDS), None)
    return [
        Judged(
            status=wave,
            checks=_checks(rollout, plan, wave, now),
            failures=tuple(each for each in failures if each.wave == wave.wave),
            opened=opened.get(wave.wave),
            closed=opened.get(wave.wave + 1) or (ended if wave.wave in opened else None),
            said=_said(history, wave.wave),
        )
        for wave in waves
    ]


def soaks_until(rollout: Rollout) -> datetime | None:
    """Until when the newest wave is watched; None where nothing soaks."""
    hours = float(rollout.plan.get("soak_hours", 0))
    going = rollout.state in ("running", "awaiting", "paused")
    return rollout.passed + timedelta(hours=hours) if rollout.passed and hours and going else None


def _checks(rollout: Rollout, plan: Plan, wave: WaveStatus, now: datetime) -> tuple[Check, ...]:
    if wave.state == "waiting" or rollout.state == "undone":
        return ()
    return (_failed(plan, wave), _committed(plan, wave), *_soaked(rollout, plan, wave, now))


def _failed(plan: Plan, wave: WaveStatus) -> Check:
    counted = wave.size - wave.skipped
    most = math.floor(counted * plan.tolerated + NEARLY)
    share = f", {plan.tolerated * 100:.4g} % of the {counted} that count" if plan.tolerated else ""
    passed = False if wave.failed > most else True if not wave.open else None
    return Check(
        name="failures", found=f"{wave.failed} of {counted}", asked=f"at most {most}{share}", passed=passed
    )


def _committed(plan: Plan, wave: WaveStatus) -> Check:
    asked = wave.size - wave.withdrawn
    if plan.succeed is None:
        wanted, words = 1, "at least 1, once all have answered"
    else:
        wanted = max(1, math.ceil(asked * plan.succeed - NEARLY))
        words = f"at least {wanted}, {plan.succeed * 100:.4g} % of the {asked} asked"
    enough = wave.committed >= wanted and (plan.succeed is not None or not wave.open)
    passed = True if enough else None if wave.open else False
    if not enough and wave.state == "passed":  # the last one may stand on those before
        return Check(
            name="commits",
            found=f"{wave.committed} of {asked}",
            asked="the waves before proved it",
            passed=True,
        )
    under_way = f", {wave.open} not answered" if wave.open else ""
    return Check(name="commits", found=f"{wave.committed} of {asked}{under_way}", asked=words, passed=passed)


def _soaked(rollout: Rollout, plan: Plan, wave: WaveStatus, now: datetime) -> list[Check]:
    """How long it was watched; of waves before the newest one that is known to be enough."""
    if not plan.soak_hours or wave.state == "failed":
        return []
    asked = f"{plan.soak_hours:g} h"
    if wave.state == "passed":
        return [Check(name="soak", found="soaked", asked=asked, passed=True)]
    if rollout.passed is None:
        return [Check(name="soak", found="not begun: it has to prove itself first", asked=asked, passed=None)]
    hours = min((now - rollout.passed).total_seconds() / 3600, plan.soak_hours)
    return [Check(name="soak", found=f"{hours:.3g} h", asked=asked, passed=None)]


def _openings(history: Sequence[Decided]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for each in history:
        wave: Any = each.detail.get("wave")
        if each.action == "rollout.widen" and isinstance(wave, int):
            found.setdefault(wave, each.time)
    return found


def _said(history: Sequence[Decided], wave: int) -> str:
    """What the policy gave as its reason when it went beyond the wave, or ended there."""
    for each in history:
        verdict, known = _DECIDED.get(each.action), each.detail.get("wave")
        beyond = verdict is Verdict.WIDEN and known == wave + 1
        if beyond or (verdict in (Verdict.HALT, Verdict.DONE) and known == wave):
            return str(each.detail.get("reason") or "")
    return ""
