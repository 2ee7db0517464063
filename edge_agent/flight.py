"""Which batch goes out next, and when one goes out again: the device's half of the commit protocol.

Pure: batches and times in, decisions out. At most ``window`` batches are out without a commit mark.
Alarms overtake: a few places are theirs alone, and at most half of all. What is new and what has waited
share the others, half each, and in bytes as well; where one has nothing, the other takes all. Raw windows
that are new have the half of what has waited, before it, and let what is new go first.

Only the oldest of a lane is ever sent again, with growing, jittered waits: sending more would make a slow
hub slower. A batch that others, sent after it, have passed is missing; while none has, every mark shows that
the hub is at work, and the wait begins anew. A new connection starts with nothing out, for what an old one
carried may be lost; the hub knows a batch that comes twice.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from edge_agent.lanes import Lane, Lanes
from edge_agent.outbox import Key
from edge_agent.pace import Budget, Pipe
from edge_agent.waits import Backoff

ALARM_PLACES = 4  # at most; a quarter of a small window
RAW_LEAD = 16 << 10  # bytes that live batches are ahead by before raw windows have their turn
SKIP_S = 2.0  # between two times that live batches become backlog
SKIP_GROWTH = 1.5  # for each span the backlog already has, so that these few spans last for hours


@dataclass(slots=True, kw_only=True)
class _Out:
    lane: Lane
    size: int
    order: int  # of its first sending on this connection
    sent: float
    wait: float  # for its mark, drawn when it was sent
    attempts: int = 0
    received: bool = False  # the broker has it


class Flight:
    """Used by one thread, but for ``lag``. Times are monotonic seconds, sizes bytes of payload."""

    def __init__(self, *, window: int, backoff: Backoff, random: Random, budget: Budget) -> None:
        self._backoff = backoff
        self._random = random
        self._budget = budget
        self.resent = 0
        self.restart(window, Key(0, 0))

    def restart(self, window: int, newest: Key) -> None:
        """A new connection, on which the broker takes up to ``window`` at once."""
        self._window = window
        self._lanes = Lanes(newest)
        self._pipe = Pipe()
        self._out: dict[Key, _Out] = {}
        self._count: Counter[Lane] = Counter()
        self._order = 0
        self._passed = 0  # the latest order of which a mark has told
        self._progress = 0.0  # when a mark last told of anything
        self._contested = False  # both live and backlog might have gone
        self._lead = 0  # bytes by which live came before the backlog then
        self._skipped = 0.0
        self.held_s = 0.0  # how long the budget holds what else might go; as of the last ``next``

    @property
    def out(self) -> int:
        return len(self._out)

    @property
    def keys(self) -> list[Key]:
        """What is out."""
        return list(self._out)

    def lag(self, newest: Key) -> int:
        """How many batches were written since the last live one that went out."""
        return self._lanes.lag(newest)

    def next(self, now: float, newest: Key) -> Lane | None:
        """The lane from which a batch may go now."""
        self._skip(now, newest)
        self.held_s = 0.0
        for lane in (Lane.ALARM, Lane.OLD_ALARM):
            if self._lanes.waits(lane, newest) and self._has_alarm_room(lane) and self._affords(now, lane):
                return lane
        for lane in self._turns(newest):
            if self._affords(now, lane):
                return lane
        return None

    def cursor(self, lane: Lane) -> Key:
        """The batch that may go is the first one of its lane behind this key."""
        return self._lanes.cursor(lane)

    def found(self, lane: Lane, key: Key | None, newest: Key, *, raw: bool = False) -> bool:
        """Whether ``key``, the first behind the cursor, is the one that may go; None: there was none.

        ``raw``: it holds raw windows. A live one of these changes to their own lane, if that has room.
        """
        if raw and key is not None and lane is Lane.LIVE and self._lanes.put_off(key):
            return False
        return self._lanes.found(lane, key, newest)

    def sent(self, key: Key, lane: Lane, size: int, now: float) -> None:
        """``key`` went out for the first time on this connection."""
        self._order += 1
        wait = self._backoff.wait(0, self._random)
        self._out[key] = _Out(lane=lane, size=size, order=self._order, sent=now, wait=wait)
        self._count[lane] += 1
        self._charge(size, now, lane)
        if self._contested and not lane.alarms:
            self._lead += size if lane is Lane.LIVE else -size

    def answered(self, key: Key, size: int, took_s: float, *, received: bool = True) -> None:
        """The broker has ``key``, or refused it. That proves nothing, but the link has carried it."""
        self._pipe.taken(size, took_s)
        if key in self._out:
            self._out[key].received = received

    def settled(self, number: int, mark: int, beyond: Iterable[tuple[int, int]], now: float) -> None:
        """The hub has settled these sequences of epoch ``number``; a lower mark than before is no error."""
        ranges = ((0, mark), *beyond)
        for key in [key for key in self._out if key.number == number]:
            if any(first <= key.sequence <= last for first, last in ranges):
                out = self._out[key]
                self._progress = now
                if not out.attempts:  # of one that was sent again, nobody knows which sending arrived
                    self._passed = max(self._passed, out.order)
                self.gone(key)

    def gone(self, key: Key) -> None:
        """``key`` is no longer in the outbox."""
        out = self._out.pop(key, None)
        if out is not None:
            self._count[out.lane] -= 1

    def due(self, now: float) -> Key | None:
        """A batch that is the oldest of its lane, if its time has come to go again."""
        return next((key for key in self._oldest() if now >= self._due_time(self._out[key], now)), None)

    def next_due(self, now: float) -> float | None:
        """When ``due`` will name a batch; None while nothing is out."""
        return min((self._due_time(self._out[key], now) for key in self._oldest()), default=None)

    def sent_again(self, key: Key, now: float) -> None:
        out = self._out[key]
        out.sent, out.attempts, out.received = now, out.attempts + 1, False
        out.wait = self._backoff.wait(out.attempts, self._random)
        self._charge(out.size, now, out.lane)
        self.resent += 1

    def _oldest(self) -> list[Key]:
        """Of each lane, in the order in which they go."""
        oldest: dict[Lane, Key] = {}
        for key, out in self._out.items():
            oldest[out.lane] = min(key, oldest.get(out.lane, key))
        return [oldest[lane] for lane in sorted(oldest)]

    def _due_time(self, out: _Out, now: float) -> float:
        longest = self._backoff.longest_s
        if not out.received:
            # A link that has not even delivered it is slow or dead: more of the same would not help it.
            due = out.sent + max(out.wait, longest)
        elif out.order < self._passed:
            due = out.sent + out.wait
        else:
            due = min(max(out.sent, self._progress), out.sent + longest) + out.wait
        return max(due, now + self._budget.wait(now, alarm=out.lane.alarms))

    def _skip(self, now: float, newest: Key) -> None:
        pause = SKIP_S * SKIP_GROWTH**self._lanes.spans
        if self._lanes.lag(newest) > self._window and now - self._skipped >= pause:
            self._skipped = now
            self._lanes.skip(newest)

    def _has_alarm_room(self, lane: Lane) -> bool:
        alarms = self._count[Lane.ALARM] + self._count[Lane.OLD_ALARM]
        if len(self._out) >= self._window or alarms >= max(1, self._window // 2):
            return False
        return lane is Lane.ALARM or not self._lanes.overtaken_enough

    def _turns(self, newest: Key) -> list[Lane]:
        """Live and what is beside it, if they wait and have room; first the one that is behind in bytes."""
        places = self._window - min(ALARM_PLACES, self._window // 4)
        beside = Lane.RAW if self._lanes.waits(Lane.RAW, newest) else Lane.BACKLOG
        waiting = [lane for lane in (Lane.LIVE, beside) if self._lanes.waits(lane, newest)]
        if self._pipe.full or len(self._out) >= places:
            return []
        if len(waiting) == 2:
            room = {
                Lane.LIVE: places - places // 2 - self._count[Lane.LIVE],
                beside: max(1, places // 2) - self._count[Lane.RAW] - self._count[Lane.BACKLOG],
            }
            waiting = [lane for lane in waiting if room[lane] > 0]
        else:
            self._lead = 0
        self._contested = len(waiting) == 2
        return sorted(waiting, reverse=self._lead > (RAW_LEAD if beside is Lane.RAW else 0))

    def _affords(self, now: float, lane: Lane) -> bool:
        wait = self._budget.wait(now, alarm=lane.alarms)
        if wait:
            self.held_s = min(self.held_s or wait, wait)
        return not wait

    def _charge(self, size: int, now: float, lane: Lane) -> None:
        self._pipe.given(size)
        self._budget.spend(size, now, alarm=lane.alarms)
