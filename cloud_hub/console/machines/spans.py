"""A span of time as a link carries it: ``6h`` or ``7d`` up to now by the hub's clock, or between two moments.

Whoever opens the link sees the same moments: those of an own span come with their zone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from werkzeug.exceptions import BadRequest

from cloud_hub.console import moments
from cloud_hub.errors import ConflictError
from wire.clock import EPOCH

CHOICES = ("1h", "6h", "1d", "7d", "30d", "90d", "365d")
DEFAULT = "7d"
OWN = "own"
SECONDS = {"min": 60, "h": 3600, "d": 86400}
SHORTEST = timedelta(seconds=10)
LONGEST = timedelta(days=3660)
AROUND = timedelta(hours=6)  # at least so much is shown before and after what happened
_SPAN = re.compile(r"([1-9][0-9]{0,5})(min|h|d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    text: str
    start: datetime
    end: datetime

    @classmethod
    def of(cls, asked: Mapping[str, str], now: datetime) -> Self:
        """What a link asks for; ``BadRequest`` says what is wrong with it."""
        text = asked.get("span", DEFAULT)
        if text != OWN:
            return cls.parse(text, now)
        start, end = (_moment(asked, name) for name in ("from", "to"))
        _check(start, end, now)
        return cls(text=OWN, start=start, end=end)

    @classmethod
    def parse(cls, text: str, now: datetime) -> Self:
        match = _SPAN.fullmatch(text)
        if not match:
            raise BadRequest(f"Expected a span such as 6h or 30d, got {text[:40]!r}.")
        length = timedelta(seconds=int(match[1]) * SECONDS[match[2]])
        if length > LONGEST:
            raise BadRequest(f"Expected a span of at most ten years, got {text}.")
        return cls(text=text, start=now - length, end=now)

    @property
    def is_live(self) -> bool:
        """It ends now, whenever that is."""
        return self.text != OWN

    @property
    def link(self) -> dict[str, str]:
        """The arguments of a link to it."""
        return {"span": self.text} if self.is_live else _own(self.start, self.end)

    @property
    def words(self) -> str:
        if self.is_live:
            return f"last {self.text}"
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"

    @property
    def earlier(self) -> dict[str, str]:
        """A link to the span before it, of the same length."""
        return _own(self.start - (self.end - self.start), self.start)

    def later(self, now: datetime) -> dict[str, str] | None:
        """A link to the span after it; to the one that ends now, where it would; None from there."""
        length = self.end - self.start
        if self.is_live or self.end >= now:
            return None
        if self.end + length < now:
            return _own(self.end, self.end + length)
        return {"span": _text(length)}


def around(start: datetime, end: datetime | None, now: datetime) -> dict[str, str]:
    """A link to what went on from ``start`` to ``end``, or does yet, with as much again before and after."""
    margin = max((end or now) - start, AROUND)
    return _own(max(start - margin, EPOCH), min((end or now) + margin, max(now, start + AROUND)))


def _check(start: datetime, end: datetime, now: datetime) -> None:
    if end <= start:
        raise BadRequest("Expected a span that ends after it begins: exchange its two moments.")
    if end - start < SHORTEST:
        raise BadRequest(
            "Expected a span of at least ten seconds: signals are not kept more finely than that."
        )
    if end - start > LONGEST:
        raise BadRequest("Expected a span of at most ten years: choose a shorter one.")
    if start >= now:
        raise BadRequest("Expected a span that has begun: nothing is known of what is to come.")


def _moment(asked: Mapping[str, str], name: str) -> datetime:
    try:
        return moments.parse(asked.get(name, ""), asked.get("zone", ""))
    except ConflictError as error:
        raise BadRequest(f"Expected a span with its two moments; {name}: {error}.") from error


def _own(start: datetime, end: datetime) -> dict[str, str]:
    return {"span": OWN, "from": _second(start), "to": _second(end), "zone": moments.UTC_NAME}


def _second(time: datetime) -> str:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def _text(length: timedelta) -> str:
    minutes = max(1, round(length.total_seconds() / SECONDS["min"]))
    for unit in ("d", "h"):
        each = SECONDS[unit] // SECONDS["min"]
        if minutes % each == 0:
            return f"{minutes // each}{unit}"
    return f"{minutes}min"
