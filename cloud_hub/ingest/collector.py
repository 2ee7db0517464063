"""Ahead of the database: messages are taken and decoded while those before them are being committed.

A thread of its own fills groups. One that is ripe goes as soon as the database is
free; until then it grows, so that a backlog travels in large transactions, which
cost the database least, and a trickle in small ones, which wait for nobody. What
was decoded and not yet taken is bounded; what was not decoded waits at the consumer.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cloud_hub.ingest.reading import Arrival, Reading, is_announcement, read

RIPE_ROWS = 10_000
RIPE_S = 0.05
MOST_ROWS = 100_000  # beyond that, a larger transaction is no quicker
MOST_BYTES = 16 << 20  # of memory, and one batch more: few rows may be wide, few bytes much
MOST_ANNOUNCEMENTS = 200  # births and statuses for one transaction
AHEAD = 2  # groups that wait decoded, beside the one that is being stored
IDLE_S = 0.2


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """Batches for one transaction, in the order they came."""

    opened: float  # monotonic seconds
    rows: int = 0
    bytes: int = 0
    readings: list[Reading] = field(default_factory=list)

    def ripe_in(self, now: float) -> float:
        """Seconds until it may go; none when enough came."""
        return 0.0 if self.rows >= RIPE_ROWS else self.opened + RIPE_S - now

    @property
    def full(self) -> bool:
        return self.rows >= MOST_ROWS or self.bytes >= MOST_BYTES

    def add(self, reading: Reading) -> bool:
        """Take one more; whether that made it ripe."""
        before = self.rows
        self.readings.append(reading)
        self.rows += reading.rows
        self.bytes += reading.bytes
        return before < RIPE_ROWS <= self.rows


@dataclass(slots=True, kw_only=True, eq=False)
class Announced:
    """Births and statuses that came after one another. They are few or very many, and may go at once."""

    opened: float
    bytes: int = 0
    arrivals: list[Arrival] = field(default_factory=list)

    def ripe_in(self, _now: float) -> float:
        return 0.0

    @property
    def full(self) -> bool:
        return len(self.arrivals) >= MOST_ANNOUNCEMENTS or self.bytes >= MOST_BYTES

    def add(self, arrival: Arrival) -> bool:
        """Take one more; it was ripe before."""
        self.arrivals.append(arrival)
        self.bytes += len(arrival.payload)
        return False


Collected = TypeVar("Collected", Group, Announced)


class Collector:
    """``take`` gives the next message or None after so many seconds; ``next`` is for one thread."""

    def __init__(self, take: Callable[[float], Arrival | None]) -> None:
        self._take = take
        self._changed = threading.Condition()
        self._items: deque[Group | Announced] = deque()
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End at once; what was collected and not taken is dropped, for nobody acknowledged it."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def next(self, timeout_s: float) -> Group | Announced | None:
        """The next group of batches or of announcements, or None where none is ripe in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._failure is not None:
                    raise self._failure
                now = time.monotonic()
                wait = self._ready_in(now)
                if wait <= 0:
                    self._changed.notify_all()
                    return self._items.popleft()
                if now >= deadline:
                    return None
                self._changed.wait(min(wait, deadline - now))

    def _ready_in(self, now: float) -> float:
        if not self._items:
            return IDLE_S
        first = self._items[0]
        return 0.0 if len(self._items) > 1 else first.ripe_in(now)

    def _run(self) -> None:
        try:
            while not self._stopping:
                arrival = self._take(IDLE_S)
                if arrival is None:
                    continue
                self._put(arrival if is_announcement(arrival) else read(arrival))
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _put(self, item: Arrival | Reading) -> None:
        with self._changed:
            if isinstance(item, Arrival):
                ripe = self._last(Announced).add(item)
            else:
                ripe = self._last(Group).add(item)
            if ripe:
                self._changed.notify_all()

    def _last(self, kind: type[Collected]) -> Collected:
        """The newest group if it is of this kind and not full, else a new one, once there is room for it."""
        last = self._items[-1] if self._items else None
        if isinstance(last, kind) and not last.full:
            return last
        while len(self._items) >= AHEAD and not self._stopping:
            self._changed.wait()
        made = kind(opened=time.monotonic())
        self._items.append(made)
        self._changed.notify_all()
        return made
