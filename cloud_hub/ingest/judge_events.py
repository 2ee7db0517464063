"""Whether an alarm, a gap or a report can be kept. Pure: an event in, what is wrong with it out.

PostgreSQL stores no NUL in text and no NaN in JSON; a device that sends one
loses that event, and not the batch around it.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from wire.batch import AlarmEvent, Event, GapEvent, ReportEvent
from wire.clock import readable

_OLDEST_US = 0  # 1970: no device was born before
_INT64 = 1 << 63
_LONGEST = 10_000  # characters in one text
_LONGEST_EVIDENCE = 100_000
STATES = ("opened", "updated", "closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRules:
    """Events may be old (they are few and precious) and not from the future."""

    machines: int  # of the signal table
    latest_us: int

    def problem(self, event: Event) -> str:
        """What is wrong with ``event``; nothing where it can be kept."""
        if isinstance(event, GapEvent):  # when it was told is not kept: a clock that is ahead costs no gap
            return self._wrong_gap(event)
        if problem := self._wrong_time(event.time_us):
            return problem
        match event:
            case AlarmEvent():
                return self._wrong_alarm(event)
            case ReportEvent():
                return _wrong_report(event)

    def _wrong_alarm(self, event: AlarmEvent) -> str:
        if not 0 <= event.machine < self.machines:
            return f"expected a machine below {self.machines}, got {event.machine}"
        if event.state not in STATES:
            return f"expected a state of {', '.join(STATES)}, got {event.state[:40]!r}"
        if not (math.isfinite(event.severity) and 0 <= event.severity <= 1):
            return f"expected a severity from 0 to 1, got {event.severity}"
        return _wrong_texts(event.use_case, event.release, event.message) or self._wrong_time(event.opened_us)

    def _wrong_gap(self, event: GapEvent) -> str:
        if not -1 <= event.machine < self.machines:
            return f"expected a machine below {self.machines}, got {event.machine}"
        if event.first_sequence or event.last_sequence:
            if not 1 <= event.first_sequence <= event.last_sequence < _INT64:
                return f"expected a range of sequences, got {event.first_sequence} to {event.last_sequence}"
        elif event.from_us > event.to_us:
            return f"expected a span of time, got {event.from_us} to {event.to_us}"
        times = (self._wrong_time(event.from_us), self._wrong_time(event.to_us))
        return _wrong_texts(event.reason) or next(filter(None, times), "")

    def _wrong_time(self, time_us: int) -> str:
        if _OLDEST_US <= time_us <= self.latest_us:
            return ""
        return f"expected a time from 1970 up to {readable(self.latest_us)}, got {readable(time_us)}"


def _wrong_report(event: ReportEvent) -> str:
    texts = (
        event.use_case, event.state, event.event, event.reason, event.release, event.rollout,
        event.correlation,
    )  # fmt: skip
    if event.directive_sequence >= _INT64:
        return f"expected a directive sequence below 2^63, got {event.directive_sequence}"
    try:
        evidence = json.dumps(event.evidence, allow_nan=False, ensure_ascii=False)
        evidence.encode()  # half a surrogate pair is no text
    except ValueError as error:
        return f"evidence: {error}"
    if len(evidence) > _LONGEST_EVIDENCE or "\\u0000" in evidence:
        return f"evidence of {len(evidence)} characters cannot be kept"
    return _wrong_texts(*texts)


def _wrong_texts(*texts: str) -> str:
    for text in _bad(texts):
        return f"expected at most {_LONGEST} characters without NUL, got {text[:40]!r}"
    return ""


def _bad(texts: Iterable[str]) -> Iterable[str]:
    return (text for text in texts if "\0" in text or len(text) > _LONGEST)
