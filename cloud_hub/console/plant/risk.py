"""Risk: which machine needs someone before any other does, defined once. Pure.

First those with an open alarm, then those whose remaining life may end within the horizon
(where the release raises its alarm), then those nobody has heard of, then the healthy ones,
last those without a prediction. Among equals the soonest lower end of the remaining life
counts, as a multiple of the horizon, so that hours and cycles compare; then the anomaly.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_hub.console.plant import outlooks
from cloud_hub.console.plant.outlooks import ALARM, HEALTHY, SILENT, UNKNOWN, WATCH, Meaning
from cloud_hub.store.fleet import Machine

STATES = (ALARM, WATCH, SILENT, HEALTHY, UNKNOWN)  # in the order in which they need someone
QUIET = timedelta(days=1)  # without a prediction although its device is online


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """``silence`` says why nobody knows how the machine is now; empty where it is heard of."""

    machine: Machine
    meaning: Meaning
    state: str
    margin: float | None  # soonest end of its life over the horizon; below 1: within it
    silence: str

    @property
    def key(self) -> tuple[int, float, float, str]:
        """What machines are sorted by: the smallest needs someone first."""
        anomaly = self.machine.outlook.anomaly if self.machine.outlook else None
        margin = math.inf if self.margin is None else self.margin
        return (STATES.index(self.state), margin, -(anomaly or 0.0), self.machine.name)


def ranked(machines: Sequence[Machine], meanings: Mapping[str, Meaning], now: datetime) -> list[Risk]:
    """Every machine with its risk, what needs someone first before all others; ``meanings`` by release."""
    longest = outlooks.scales(machines)
    judged = [_judge(each, meanings, longest, now) for each in machines]
    return sorted(judged, key=lambda each: each.key)


def _judge(
    machine: Machine, meanings: Mapping[str, Meaning], longest: Mapping[str, float], now: datetime
) -> Risk:
    outlook = machine.outlook
    meaning = meanings.get(outlook.release, Meaning()) if outlook else Meaning()
    silence = _silence(machine, now)
    state = outlooks.state(machine, meaning)
    return Risk(
        machine=machine,
        meaning=meaning,
        state=SILENT if silence and state == HEALTHY else state,
        margin=_margin(machine, meaning, longest),
        silence=silence,
    )


def _margin(machine: Machine, meaning: Meaning, longest: Mapping[str, float]) -> float | None:
    """Without a horizon: behind everything that is within its own, by the share of the longest life told."""
    outlook = machine.outlook
    if outlook is None:
        return None
    soonest = outlook.lower if outlook.lower is not None else outlook.remaining_life
    if soonest is None:
        return None
    if meaning.threshold:
        return soonest / meaning.threshold
    return 1.0 + soonest / (longest.get(outlook.use_case) or 1.0)


def _silence(machine: Machine, now: datetime) -> str:
    if not machine.online:
        return "its device is offline"
    if machine.outlook is not None and now - machine.outlook.time > QUIET:
        return "no prediction for a day, though its device is online"
    return ""
