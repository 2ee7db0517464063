"""Whether a release that is ready may be switched to at this moment, or what it has to wait for.

Two things hold it back: the device's maintenance windows, and a machine in a critical phase.
An undo waits for no window, only for the end of a critical phase: it takes away a model that
is bad. A condition that nobody can judge, because no machine here has its signal, holds an
installation back (it was set to protect something) and an undo not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import structlog

from firmware_configs.windows import is_open, next_open, parse_windows
from wire.clock import Clock, readable, to_datetime, to_us
from wire.directive import Directive

UNDO = "undo"
WINDOW, PHASE = "maintenance window", "end of a critical phase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    waits_for: str
    reason: str
    until_us: int = 0  # 0: nobody can tell
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def until(self) -> str:
        return readable(self.until_us) if self.until_us else ""


class Phase(Protocol):
    """Why a machine is in a critical phase, or that it cannot be known."""

    @property
    def reason(self) -> str: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...
    @property
    def unknowable(self) -> bool: ...


log = structlog.get_logger()

Judge = Callable[[Directive], Deferral | None]


def never(_directive: Directive) -> Deferral | None:
    """Of a device without windows and conditions."""
    return None


def first_known(*zones: str) -> ZoneInfo:
    """The first of ``zones`` that is told and known here; UTC where there is none."""
    for zone in filter(None, zones):
        try:
            return ZoneInfo(zone)
        except (OSError, ValueError, KeyError) as error:
            log.warning("time zone unknown here", zone=zone, reason=str(error))
    return ZoneInfo("UTC")


class Deferrals:
    """What this device was told about when it may be changed."""

    def __init__(
        self, *, windows: Sequence[str], zone: ZoneInfo, clock: Clock, phase: Callable[[], Phase | None]
    ) -> None:
        self._windows = parse_windows(windows)
        self._zone = zone
        self._clock = clock
        self._phase = phase
        self._closed = (0, 0)  # from when until when, as far as was looked ahead

    def judge(self, directive: Directive) -> Deferral | None:
        """What ``directive`` has to wait for; None: it may be switched to now."""
        undo = directive.mode == UNDO
        return (None if undo else self._outside_windows(directive)) or self._in_phase(undo=undo)

    def status(self) -> dict[str, Any]:
        """For people: when this device may be changed."""
        phase, opens_us = self._phase(), self._opens_us()
        return {
            "windows": [str(window) for window in self._windows],
            "zone": str(self._zone),
            "opens": readable(opens_us) if opens_us else "",
            "critical": phase.reason if phase else "",
        }

    def _outside_windows(self, directive: Directive) -> Deferral | None:
        opens_us = self._opens_us()
        if not opens_us:
            return None
        windows = ", ".join(map(str, self._windows))
        reason = f"outside of {windows} ({self._zone}), which opens at {readable(opens_us)}"
        if opens_us >= directive.expires_us:
            reason += f"; the directive expires before, at {readable(directive.expires_us)}"
        return Deferral(waits_for=WINDOW, reason=reason, until_us=opens_us)

    def _in_phase(self, *, undo: bool) -> Deferral | None:
        phase = self._phase()
        if phase is None or (undo and phase.unknowable):
            return None
        return Deferral(waits_for=PHASE, reason=phase.reason, evidence=phase.evidence)

    def _opens_us(self) -> int:
        """When the next window opens; 0: one is open. Looking ahead costs milliseconds, so it is kept."""
        now_us = self._clock.now_us()
        since_us, opens_us = self._closed
        if since_us <= now_us < opens_us:
            return opens_us
        moment = to_datetime(now_us)
        if is_open(self._windows, moment, self._zone):
            return 0
        self._closed = now_us, to_us(next_open(self._windows, moment, self._zone))
        return self._closed[1]
