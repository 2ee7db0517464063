"""A span of time as a link carries it: ``6h``, ``7d``, ending now by the hub's clock."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from werkzeug.exceptions import BadRequest

CHOICES = ("6h", "1d", "7d", "30d", "90d", "365d")
DEFAULT = "7d"
SECONDS = {"min": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=3660)
_SPAN = re.compile(r"([1-9][0-9]{0,5})(min|h|d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    text: str
    start: datetime
    end: datetime

    @classmethod
    def parse(cls, text: str, now: datetime) -> Self:
        match = _SPAN.fullmatch(text)
        if not match:
            raise BadRequest(f"Expected a span such as 6h or 30d, got {text[:40]!r}.")
        length = timedelta(seconds=int(match[1]) * SECONDS[match[2]])
        if length > LONGEST:
            raise BadRequest(f"Expected a span of at most ten years, got {text}.")
        return cls(text=text, start=now - length, end=now)
