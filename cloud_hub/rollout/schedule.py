"""When each wave of a rollout could open and end at the earliest: windows and soaks alone. Pure.

It promises nothing: what devices need to fetch, prove and answer, an hour that a device has of its own, a
person's approval and room under the cap come on top. Nothing can be earlier than this, and that is its use.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from cloud_hub.rollout.plan import Plan
from cloud_hub.rollout.preview import Preview
from cloud_hub.rollout.selection import Candidate
from cloud_hub.rollout.windows import opens
from firmware_configs.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One wave, at the earliest."""

    wave: int
    devices: int
    opens: datetime  # its turn comes: the wave before has soaked
    offered: datetime  # the first of its devices may be changed
    asked: datetime  # as many of them as have to answer may have been changed
    ends: datetime  # it has soaked
    by_zone: tuple[tuple[str, int, datetime], ...]  # its devices in each zone, and when they may be changed
    approval: bool  # it waits for a person, too


def earliest(ahead: Preview, now: datetime) -> tuple[Stretch, ...]:
    """Each wave after the one before; ``PlanError`` where a window never opens."""
    found: list[Stretch] = []
    begin = now
    for wave, devices in ahead.members():
        found.append(_stretch(ahead, wave, devices, begin))
        begin = found[-1].ends
    return tuple(found)


def _stretch(ahead: Preview, wave: int, devices: Sequence[Candidate], begin: datetime) -> Stretch:
    plan = ahead.plan
    counted = Counter(device.zone for device in devices)
    when = [(_opens(plan.windows, zone, begin), zone, many) for zone, many in counted.items()]
    when.sort()
    last = wave == max(ahead.waves.values())
    asked = _asked(plan, [(time, many) for time, _, many in when], last=last)
    return Stretch(
        wave=wave,
        devices=len(devices),
        opens=begin,
        offered=when[0][0],
        asked=asked,
        ends=asked + timedelta(hours=plan.soak_hours),
        by_zone=tuple((zone, many, time) for time, zone, many in when),
        approval=wave in ahead.approvals,
    )


def _asked(plan: Plan, times: Sequence[tuple[datetime, int]], *, last: bool) -> datetime:
    """When enough devices could have answered: all, or the share whose commits open the next wave."""
    total = sum(many for _, many in times)
    enough = total if plan.succeed is None or last else math.ceil(total * plan.succeed - 1e-9)
    reached = 0
    for time, many in times:
        reached += many
        if reached >= enough:
            return time
    return times[-1][0]


def _opens(windows: tuple[Window, ...], zone: str, begin: datetime) -> datetime:
    if not windows:
        return begin
    minute = begin.replace(second=0, microsecond=0)
    return max(begin, _searched(windows, zone, minute))


@lru_cache(maxsize=1024)  # an opening is searched minute by minute, and every look at a preview asks again
def _searched(windows: tuple[Window, ...], zone: str, minute: datetime) -> datetime:
    return opens(windows, zone, minute)
