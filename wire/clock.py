"""The one notion of time: UTC microseconds, real or scaled.

Device and hub stamp, compare and expire by this clock, so a month of machine
life can pass in a minute and still mean the same thing on both sides. A scaled
clock starts at START, runs FACTOR times as fast as real time and, once it has
caught up with it, is real time: history ends now.

    2026-09-01T00:00:00Z,43200             from that day, twelve hours a second
    2026-09-01T00:00:00Z,43200,1764000000.5  the same, anchored at that real second
"""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from wire.errors import ClockError

MICROSECONDS = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(time_us: int) -> datetime:
    """UTC datetime of ``time_us`` microseconds since 1970."""
    return EPOCH + timedelta(microseconds=time_us)


def readable(time_us: int) -> str:
    """``time_us`` for a person to read, whatever it is: ISO 8601, or as it came where no calendar reaches."""
    try:
        return to_datetime(int(time_us)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{time_us} microseconds"


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware ``moment``; a naive one is a ``ClockError``."""
    if moment.tzinfo is None:
        raise ClockError(f"expected a time with its zone, got {moment.isoformat()}")
    return (moment - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """Real time where ``factor`` is 1, else scaled time as the module explains."""

    start_us: int = 0
    factor: float = 1.0
    anchor: float = 0.0  # real seconds since 1970 at which the scaled clock read START

    @classmethod
    def real(cls) -> Self:
        return cls()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``START,FACTOR[,ANCHOR]``; an empty text is the real clock."""
        if not text.strip():
            return cls.real()
        try:
            start, factor, *anchor = text.split(",")
            began = datetime.fromisoformat(start)
            clock = cls(to_us(began), float(factor), float(*anchor) if anchor else time.time())
        except (ValueError, TypeError) as error:
            raise ClockError(f"expected START,FACTOR[,ANCHOR] for a clock, got {text!r}") from error
        if not (math.isfinite(clock.factor) and clock.factor >= 1 and math.isfinite(clock.anchor)):
            raise ClockError(f"expected a clock factor of at least 1, got {factor}")
        if clock.start_us > clock.anchor * MICROSECONDS:
            raise ClockError(f"expected a clock that starts in the past, got {start}")
        return clock

    def __str__(self) -> str:
        if self.factor == 1.0:
            return ""
        start = to_datetime(self.start_us).isoformat().replace("+00:00", "Z")
        return f"{start},{self.factor!r},{self.anchor!r}"

    @property
    def caught_up_us(self) -> int:
        """When scaled time meets real time, in microseconds; 0 for the real clock."""
        if self.factor == 1.0:
            return 0
        behind = self.anchor * MICROSECONDS - self.start_us
        return round(self.anchor * MICROSECONDS + behind / (self.factor - 1))

    def now_us(self) -> int:
        real = time.time()
        if self.factor == 1.0:
            return round(real * MICROSECONDS)
        scaled = self.start_us + (real - self.anchor) * self.factor * MICROSECONDS
        return round(min(scaled, real * MICROSECONDS))

    def now(self) -> datetime:
        return to_datetime(self.now_us())

    def rate(self) -> float:
        """Clock seconds that pass in a real second at this moment."""
        return 1.0 if self.now_us() >= self.caught_up_us else self.factor

    def real_seconds(self, clock_seconds: float) -> float:
        """How long ``clock_seconds`` last for someone with a wristwatch, from now on."""
        target = self.now_us() + clock_seconds * MICROSECONDS
        left = max(0.0, min(target, self.caught_up_us) - self.now_us())
        after = max(0.0, target - max(self.now_us(), self.caught_up_us))
        return (left / self.factor + after) / MICROSECONDS
