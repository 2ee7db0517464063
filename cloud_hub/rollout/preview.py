"""What a plan would do if it started now: who is in which wave, who is left out and why, from when on.

Its seal says in a line what was foreseen, so that whoever looked can start just that, once: where
other devices match by now, or stand in other waves, nothing starts, and they are told what differs.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from cloud_hub.errors import ConflictError
from cloud_hub.rollout.plan import Plan
from cloud_hub.rollout.selection import Candidate, select
from cloud_hub.rollout.windows import opens

_PARTS = {  # what a seal holds, each with what it means when it differs
    "rollout": "another rollout of this release has begun",
    "plan": "the plan is another one",
    "who": "other devices match",
    "waves": "devices stand in other waves, as some came online or went offline",
    "others": "other rollouts are in the way",
}
SIGNS = 16  # of a hash; against chance, not against an attacker, who could sign only for himself


class ChangedError(ConflictError):
    """What would start is not what was foreseen."""


class StartedError(ConflictError):
    """What was foreseen was started by the same person already: ``rollout`` is it."""

    def __init__(self, rollout: str) -> None:
        super().__init__(f"rollout {rollout} was started by this already")
        self.rollout = rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A rollout in the way: it directs devices of the plan, by name in order."""

    id: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    plan: Plan
    rollout: str  # the name it would get
    devices: tuple[Candidate, ...]  # in the order of their waves
    waves: dict[int, int]  # from 1, by the device's id; in order
    approvals: tuple[int, ...]  # waves that await a person
    left_out: tuple[Candidate, ...]
    opens: dict[str, datetime]  # by time zone, when devices there may be changed; empty: at any time
    others: tuple[Other, ...] = ()

    @property
    def release(self) -> str:
        return self.plan.release

    def members(self) -> list[tuple[int, list[Candidate]]]:
        """Each wave with its devices."""
        grouped = groupby(self.devices, key=lambda device: self.waves[device.id])
        return [(wave, list(devices)) for wave, devices in grouped]

    @property
    def reasons(self) -> tuple[tuple[str, int], ...]:
        """Why devices are left out, and how many; the most frequent first."""
        return tuple(Counter(device.why for device in self.left_out).most_common())

    @property
    def seal(self) -> str:
        """In a line, all that would start now; ``check_seal`` holds another look against it."""
        places = [[self.waves[device.id], device.name] for device in self.devices]
        signs = {
            "plan": _sign(self.plan.fields()),
            "who": _sign(sorted(device.name for device in self.devices)),
            "waves": _sign(places),
            "others": _sign([other.id for other in self.others]),
        }
        return " ".join((self.rollout, *signs.values()))

    def check_seal(self, seal: str) -> None:
        """``ChangedError`` says in which way what would start now is not what was sealed."""
        pairs = zip(_PARTS.values(), self.seal.split(" "), seal.split(" "), strict=False)
        changed = [says for says, now, then in pairs if now != then]
        if changed or seal != self.seal:
            raise ChangedError(changed[0] if changed else "it was never foreseen like this")


def foresee(
    plan: Plan, found: Sequence[Candidate], now: datetime, *, rollout: str, others: Sequence[Other] = ()
) -> Preview:
    """``PlanError`` where the plan means nobody, forgets somebody, or has a window that never opens."""
    chosen = select(found, plan)
    zones = sorted({device.zone for device in chosen}) if plan.windows else []
    return Preview(
        plan=plan,
        rollout=rollout,
        devices=tuple(chosen),
        waves=plan.assign([device.id for device in chosen]),
        approvals=plan.gates(len(chosen)),
        left_out=tuple(device for device in found if device.why),
        opens={zone: opens(plan.windows, zone, now) for zone in zones},
        others=tuple(others),
    )


def _sign(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:SIGNS]
