"""When a device may be changed: weekly windows in the time of its site, right through daylight saving.

A window is written as people say it: ``sat,sun 02:00-06:00``, ``mon-fri 22:00-04:00`` (past
midnight: it belongs to the day it begins on) or ``daily 01:00-03:00``. No window at all means
that every moment will do. An hour that a clock change skips is in no window, one that it
repeats is in it twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

from firmware_configs.errors import WindowError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
QUARTER = 15  # minutes; since 2023 no zone has changed its clocks at another minute than these
MINUTE = timedelta(minutes=1)
LOOK_AHEAD = timedelta(days=8)  # a weekly window opens within seven days, and a clock change may cost one

_TEXT = re.compile(r"(?P<days>[a-z,-]+) (?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    days: tuple[int, ...]  # on which it begins; Monday is 0
    start: int  # minutes since midnight
    end: int  # the same or less than ``start``: on the day after

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _TEXT.fullmatch(" ".join(text.lower().split()))
        if not match:
            raise WindowError(f"expected a window like 'sat,sun 02:00-06:00', got {text!r}")
        start, end = _minutes(match["start"], text), _minutes(match["end"], text)
        return cls(days=_days(match["days"], text), start=start, end=end % DAY_MINUTES)

    def __str__(self) -> str:
        days = "daily" if len(self.days) == len(DAYS) else ",".join(DAYS[day] for day in self.days)
        return f"{days} {_clock(self.start)}-{_clock(self.end)}"

    def holds(self, local: datetime) -> bool:
        """Whether ``local``, a time at the site, lies in it; its end does not."""
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or (
            (day - 1) % len(DAYS) in self.days and minute < self.end
        )


def parse_windows(texts: Sequence[str]) -> tuple[Window, ...]:
    """Each of ``texts``; ``WindowError`` names the one that is none."""
    return tuple(map(Window.parse, texts))


def is_open(windows: Sequence[Window], moment: datetime, zone: tzinfo) -> bool:
    """Whether a change may happen at ``moment`` (aware) at a site in ``zone``."""
    local = moment.astimezone(zone)
    return not windows or any(window.holds(local) for window in windows)


def next_open(windows: Sequence[Window], moment: datetime, zone: tzinfo) -> datetime:
    """The first minute from ``moment`` on, UTC, at which a change may happen."""
    found = moment.astimezone(UTC)
    if is_open(windows, found, zone):
        return found
    end, found = found + LOOK_AHEAD, found.replace(second=0, microsecond=0) + MINUTE
    while found < end:
        if is_open(windows, found, zone):
            return found
        found += _step(windows, found, zone)
    raise WindowError(f"none of {', '.join(map(str, windows))} opens in {zone} within {LOOK_AHEAD.days} days")


def _step(windows: Sequence[Window], moment: datetime, zone: tzinfo) -> timedelta:
    """To the next minute; to the next quarter of an hour, UTC, where no window begins before it."""
    local, left = moment.astimezone(zone), QUARTER - moment.minute % QUARTER
    minute = local.hour * 60 + local.minute
    begins = any(0 < (window.start - minute) % DAY_MINUTES < left for window in windows)
    return MINUTE if begins else left * MINUTE


def _days(text: str, whole: str) -> tuple[int, ...]:
    if text == "daily":
        return tuple(range(len(DAYS)))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise WindowError(f"expected days such as mon-fri, sat or daily, got {part!r} in {whole!r}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found.update((begin + step) % len(DAYS) for step in range((end - begin) % len(DAYS) + 1))
    return tuple(sorted(found))


def _minutes(text: str, whole: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or hours * 60 + minutes > DAY_MINUTES:
        raise WindowError(f"expected a time from 00:00 to 24:00, got {text!r} in {whole!r}")
    return hours * 60 + minutes


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
