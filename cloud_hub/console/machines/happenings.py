"""What happened to a machine in a span: alarms, failures, maintenance, releases, gaps, in one order. Pure.

Charts mark it on their axis of time, and a list beside them says the same in words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud_hub.console.machines.spans import Span
from cloud_hub.store import charts
from cloud_hub.store.fleet import Alarm, Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    kind: str  # "alarm", "failure", "maintenance", "verdict", "release" or "gap"
    time: datetime
    until: datetime | None = None  # of a gap, or of an alarm that is closed
    text: str
    by: str = ""  # who said it
    began: bool = True  # False: it was so when the span began

    @property
    def mark(self) -> dict[str, Any]:
        """As charts draw it; times in seconds since 1970."""
        return {"kind": self.kind, "time": self.time.timestamp(), "text": self.text}


def of_alarms(alarms: Iterable[Alarm]) -> list[Happening]:
    return [
        Happening(kind="alarm", time=each.opened, until=each.closed, text=each.message) for each in alarms
    ]


def of_labels(labels: Iterable[Label]) -> list[Happening]:
    return [
        Happening(kind=each.kind, time=each.time, text=told(each) or f"told by {each.source}", by=each.source)
        for each in labels
    ]


def of_releases(predicted: charts.Outlooks) -> list[Happening]:
    """The release that predicted first in the span, and each one that took over."""
    pairs = zip(predicted.times, ("", *predicted.releases), predicted.releases, strict=False)
    return [
        Happening(kind="release", time=time, text=after, began=bool(before))
        for time, before, after in pairs
        if before != after
    ]


def of_gaps(gaps: Iterable[charts.Gap]) -> list[Happening]:
    return [Happening(kind="gap", time=each.start, until=each.end, text=each.reason) for each in gaps]


def within(span: Span, happened: Iterable[Happening]) -> list[Happening]:
    """Those that touch ``span``, newest first: also an alarm that went on when it began."""
    return sorted(
        (each for each in happened if each.time < span.end and _end(each) >= span.start),
        key=lambda each: each.time,
        reverse=True,
    )


def marks(span: Span, happened: Iterable[Happening]) -> list[dict[str, Any]]:
    """What charts mark in ``span``: moments of the machine; no gap, verdict or release from before."""
    return [
        each.mark
        for each in happened
        if each.kind not in ("gap", "verdict") and each.began and span.start <= each.time < span.end
    ]


def told(label: Label) -> str:
    """What a label says besides its kind."""
    detail = label.detail
    said: Sequence[Any] = [detail.get("verdict"), detail.get("fault"), detail.get("note")]
    return ": ".join(each for each in said if isinstance(each, str) and each)


def rule(alarm: Alarm, rules: Iterable[dict[str, Any]]) -> str:
    """The rule of its release that raised ``alarm``, in words; empty where it is no longer known."""
    for each in rules:
        if alarm.message.startswith(each["output"].replace("_", " ") + " "):
            times = f", {each['persistence']} predictions in a row" if each["persistence"] > 1 else ""
            begins = f"begins at {each['threshold']:g} or {each['direction']}{times}"
            return f"{begins}; ends past {each['clear']:g}"
    return ""


def _end(happening: Happening) -> datetime:
    """An alarm that is open goes on, whatever else has no end is a moment."""
    if happening.kind == "alarm" and happening.until is None:
        return datetime.max.replace(tzinfo=happening.time.tzinfo)
    return happening.until or happening.time
