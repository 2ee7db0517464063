"""What a plan would do if it started now: who is in which wave, who is left out and why, from when on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from cloud_hub.rollout.plan import Plan
from cloud_hub.rollout.selection import Candidate, select
from cloud_hub.rollout.windows import opens


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    release: str
    devices: tuple[Candidate, ...]  # in the order of their waves
    waves: dict[int, int]  # from 1, by the device's id; in order
    approvals: tuple[int, ...]  # waves that await a person
    left_out: tuple[Candidate, ...]
    opens: dict[str, datetime]  # by time zone, when devices there may be changed; empty: at any time

    def members(self) -> list[tuple[int, list[Candidate]]]:
        """Each wave with its devices."""
        grouped = groupby(self.devices, key=lambda device: self.waves[device.id])
        return [(wave, list(devices)) for wave, devices in grouped]


def foresee(plan: Plan, found: Sequence[Candidate], now: datetime) -> Preview:
    """``PlanError`` where the plan means nobody, forgets somebody, or has a window that never opens."""
    chosen = select(found, plan)
    zones = sorted({device.zone for device in chosen}) if plan.windows else []
    return Preview(
        release=plan.release,
        devices=tuple(chosen),
        waves=plan.assign([device.id for device in chosen]),
        approvals=plan.gates(len(chosen)),
        left_out=tuple(device for device in found if device.why),
        opens={zone: opens(plan.windows, zone, now) for zone in zones},
    )
