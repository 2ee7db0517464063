"""Which batch goes out next, and when one goes out again: the device's half of the commit protocol.

Pure: batches and times in, decisions out. At most ``window`` batches are out
without a commit mark; a few of these places are kept for alarms, which overtake.
Only the oldest is ever sent again, with growing, jittered waits: sending more
would make a slow hub slower. A new connection starts with nothing out, for what
an old one carried may be lost; the hub knows a batch that comes twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from edge_agent.outbox import Key

ALARM_PLACES = 4  # at most; a quarter of a small window
DAWN = Key(0, 0)  # before every batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that double from ``first_s`` up to ``longest_s``, each up to half as long again by chance."""

    first_s: float
    longest_s: float

    def wait(self, attempt: int, random: Random) -> float:
        """Seconds after ``attempt`` tries before this one."""
        doubled = self.first_s * 2.0 ** min(attempt, 32)
        return float(min(doubled, self.longest_s) * (1 + random.random() / 2))


@dataclass(slots=True, kw_only=True)
class _Out:
    sent: float
    attempts: int
    due: float  # when it may go again, once it is the oldest
    received: bool = False  # the broker has it


class Flight:
    """Not thread-safe. Times are monotonic seconds."""

    def __init__(self, *, window: int, backoff: Backoff, random: Random) -> None:
        self._backoff = backoff
        self._random = random
        self.resent = 0
        self.restart(window)

    def restart(self, window: int) -> None:
        """A new connection, on which the broker takes up to ``window`` at once."""
        self._window = window
        self._kept_for_alarms = min(ALARM_PLACES, window // 4)
        self._out: dict[Key, _Out] = {}
        self.alarm_cursor = DAWN  # alarms up to here were sent on this connection
        self.cursor = DAWN  # and so were all others up to here

    def room(self, *, alarms: bool) -> int:
        """How many more batches of this sort may go now."""
        kept = 0 if alarms else self._kept_for_alarms
        return max(0, self._window - kept - len(self._out))

    @property
    def out(self) -> int:
        return len(self._out)

    def sent(self, key: Key, now: float, *, alarm: bool) -> None:
        """``key`` went out for the first time on this connection."""
        self._out[key] = _Out(sent=now, attempts=0, due=now + self._backoff.wait(0, self._random))
        if alarm:
            self.alarm_cursor = key
        else:
            self.cursor = key

    def received(self, key: Key) -> None:
        """The broker has ``key``. That proves nothing, but until then it need not be sent again."""
        if key in self._out:
            self._out[key].received = True

    def settled(self, number: int, mark: int, beyond: Iterable[tuple[int, int]] = ()) -> None:
        """The hub has settled these sequences of epoch ``number``; a lower mark than before is no error."""
        ranges = ((0, mark), *beyond)
        for key in [key for key in self._out if key.number == number]:
            if any(first <= key.sequence <= last for first, last in ranges):
                del self._out[key]

    def gone(self, key: Key) -> None:
        """``key`` is no longer in the outbox."""
        self._out.pop(key, None)

    def due(self, now: float) -> Key | None:
        """The oldest batch out, if its time has come to go again."""
        if not self._out:
            return None
        oldest = min(self._out)
        return oldest if now >= self._due_time(self._out[oldest]) else None

    def next_due(self) -> float | None:
        """When ``due`` will name a batch; None while nothing is out."""
        return self._due_time(self._out[min(self._out)]) if self._out else None

    def sent_again(self, key: Key, now: float) -> None:
        out = self._out[key]
        out.sent, out.attempts, out.received = now, out.attempts + 1, False
        out.due = now + self._backoff.wait(out.attempts, self._random)
        self.resent += 1

    def _due_time(self, out: _Out) -> float:
        # A link that has not even delivered it is slow or dead: more of the same would not help it.
        return out.due if out.received else max(out.due, out.sent + self._backoff.longest_s)
