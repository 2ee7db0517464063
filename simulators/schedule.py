"""When a source samples: position <-> time, as a pure function of its settings.

A source that can be resumed must give the same reading for the same position
whoever asks, however slowly. So nothing here depends on pacing: ticks are laid
out once, every ``interval`` through the accelerated past and, from the moment at
which a scaled clock has caught up with real time, every ``live interval``. Both
moments are in the clock's resolved form (START,FACTOR,ANCHOR), and the intervals
are settings; the default interval of the past grows with the clock's factor, so
that no one has to carry more readings a real second than a plant would send.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from simulators.errors import SettingError
from wire.clock import MICROSECONDS, Clock

TICKS_PER_REAL_SECOND = 36  # at most, while the past is accelerated
WINDOWS_PER_REAL_SECOND = 6
LIVE_S, LIVE_WINDOW_S = 1.0, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Tick k is at ``begin + k * interval`` before ``live_from``, then ``live_interval`` apart."""

    begin_us: int
    interval_us: int
    window_ticks: int  # a window every so many ticks
    live_from_us: int
    live_interval_us: int
    live_window_ticks: int

    @property
    def past_ticks(self) -> int:
        """How many ticks the accelerated past has."""
        return max(0, -(-(self.live_from_us - self.begin_us) // self.interval_us))

    def times_us(self, first: int, count: int) -> NDArray[np.int64]:
        """When ticks ``first`` to ``first + count - 1`` are."""
        ticks = np.arange(first, first + count, dtype=np.int64)
        past = np.minimum(ticks, self.past_ticks)
        times: NDArray[np.int64] = (
            self.begin_us + past * self.interval_us + (ticks - past) * self.live_interval_us
        )
        return times

    def ticks_before(self, time_us: int) -> int:
        """How many ticks lie before ``time_us``."""
        turn_us = self.begin_us + self.past_ticks * self.interval_us
        if time_us <= turn_us:
            return max(0, -(-(time_us - self.begin_us) // self.interval_us))
        return self.past_ticks + -(-(time_us - turn_us) // self.live_interval_us)

    def has_window(self, tick: int, machine: int) -> bool:
        """Machines take turns, so that windows do not come in bursts."""
        every = self.window_ticks if tick < self.past_ticks else self.live_window_ticks
        return (tick + machine) % every == 0


def plan(
    clock: Clock,
    *,
    begin_us: int,
    interval_s: float | None = None,
    window_s: float | None = None,
) -> Schedule:
    """The schedule of a source that begins at ``begin_us`` on ``clock``.

    ``interval_s`` and ``window_s`` (clock seconds) hold for the accelerated past,
    or, on a real clock, for its only part; left out, they follow the clock's factor.
    """
    scaled = clock.factor > 1
    past_s = max(LIVE_S, _minutes(clock.factor / TICKS_PER_REAL_SECOND)) if interval_s is None else interval_s
    past_window_s = max(LIVE_WINDOW_S, _minutes(clock.factor / WINDOWS_PER_REAL_SECOND))
    if window_s is not None:
        past_window_s = window_s
    live_s, live_window_s = (LIVE_S, LIVE_WINDOW_S) if scaled else (past_s, past_window_s)
    for name, value in (("interval", past_s), ("window-every", past_window_s)):
        if not 0.001 <= value <= 1e7:
            raise SettingError(f"expected --{name} between 0.001 and 10,000,000 seconds, got {value:g}")
    return Schedule(
        begin_us=begin_us,
        interval_us=round(past_s * MICROSECONDS),
        window_ticks=max(1, round(past_window_s / past_s)),
        live_from_us=clock.caught_up_us if scaled else begin_us,
        live_interval_us=round(live_s * MICROSECONDS),
        live_window_ticks=max(1, round(live_window_s / live_s)),
    )


def _minutes(seconds: float) -> float:
    """Rounded up to whole minutes where it is at least one: readings at round times."""
    return 60.0 * ceil(seconds / 60) if seconds >= 60 else seconds
