"""What a prediction means to whoever reads it: its unit, and whether someone should come. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud_hub.store.database import Row
from cloud_hub.store.fleet import Machine, Outlook

ALARM, WATCH, SILENT, HEALTHY, UNKNOWN = "alarm", "watch", "silent", "healthy", "no prediction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Of the figures of one release."""

    unit: str = ""
    threshold: float | None = None  # below it the release raises its alarm

    @classmethod
    def of(cls, row: Row) -> "Meaning":
        outputs = {each["name"]: each for each in row["outputs"] or ()}
        below = [
            each["threshold"]
            for each in row["alarms"] or ()
            if each["output"] == "remaining_life" and each["direction"] == "below"
        ]
        return cls(
            unit=outputs.get("remaining_life", {}).get("unit", ""), threshold=max(below) if below else None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The interval drawn on a scale from 0 to 100; where there is none, a point."""

    low: float
    point: float
    high: float


def state(machine: Machine, meaning: Meaning) -> str:
    """``watch``: the interval reaches below the alarm's threshold although no alarm is open.

    ``silent``: the last word was a good one, and the device has gone since: nobody knows.
    """
    if machine.open_alarms:
        return ALARM
    if machine.outlook is None:
        return UNKNOWN
    soonest = machine.outlook.lower if machine.outlook.lower is not None else machine.outlook.remaining_life
    if soonest is not None and meaning.threshold is not None and soonest < meaning.threshold:
        return WATCH
    return HEALTHY if machine.online else SILENT


def scales(machines: Sequence[Machine]) -> Mapping[str, float]:
    """The longest life told by any machine of each use case: what bands are drawn against."""
    longest: dict[str, float] = {}
    for machine in machines:
        if machine.outlook is not None:
            told = max(machine.outlook.upper or 0.0, machine.outlook.remaining_life or 0.0)
            longest[machine.outlook.use_case] = max(longest.get(machine.outlook.use_case, 0.0), told)
    return longest


def band(outlook: Outlook, longest: float) -> Band | None:
    if outlook.remaining_life is None or longest <= 0:
        return None
    low = outlook.lower if outlook.lower is not None else outlook.remaining_life
    high = outlook.upper if outlook.upper is not None else outlook.remaining_life
    return Band(
        low=_share(low, longest), point=_share(outlook.remaining_life, longest), high=_share(high, longest)
    )


def sparkline(values: Sequence[float], *, width: float = 96, height: float = 22) -> str:
    """The points of an SVG polyline through ``values``, from zero up; empty for fewer than two."""
    if len(values) < 2:
        return ""
    top = max(*values, 1e-9)
    step = width / (len(values) - 1)
    points = ((n * step, height - 1 - max(v, 0.0) / top * (height - 2)) for n, v in enumerate(values))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _share(value: float, longest: float) -> float:
    return round(min(max(value / longest, 0.0), 1.0) * 100, 1)
