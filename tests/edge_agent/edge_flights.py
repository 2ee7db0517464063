"""A device, a link that loses, and a hub that settles, around ``Flight`` alone: no socket, no disk, no real time."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from edge_agent.flight import Flight
from edge_agent.lanes import Lane
from edge_agent.outbox import Key
from edge_agent.pace import Budget
from edge_agent.waits import Backoff
from wire.messages import MOST_RANGES

RESEND = Backoff(first_s=3.0, longest_s=60.0)
EPOCH = 1


def ranges_of(sequences: set[int]) -> list[tuple[int, int]]:
    """As ascending ranges that do not touch."""
    ranges: list[tuple[int, int]] = []
    for sequence in sorted(sequences):
        if ranges and ranges[-1][1] == sequence - 1:
            ranges[-1] = (ranges[-1][0], sequence)
        else:
            ranges.append((sequence, sequence))
    return ranges


@dataclass
class World:
    """``held`` batches are there before the first connection; each is ``size`` bytes."""

    window: int = 8
    held: int = 0
    size: int = 100
    rate: int = 0  # bytes a second of the budget
    now: float = 0.0
    written: int = 0
    alarms: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    raws: dict[int, int] = field(default_factory=dict)  # of the others, those of raw windows: their bytes
    settled: set[int] = field(default_factory=set)  # at the hub
    sendings: list[tuple[float, int, Lane]] = field(default_factory=list)
    first: dict[int, float] = field(default_factory=dict)  # when a sequence went out first, on any connection
    times: dict[int, float] = field(default_factory=dict)  # when a sequence was settled
    lowest: int = 0  # all up to it are settled
    most_ranges: int = 0

    def __post_init__(self) -> None:
        self.budget = Budget(self.rate)
        self.flight = Flight(window=self.window, backoff=RESEND, random=Random(1), budget=self.budget)
        self.link: deque[int] = deque()
        for _ in range(self.held):
            self.write()
        self.connect()

    @property
    def newest(self) -> Key:
        return Key(EPOCH, self.written)

    def connect(self) -> None:
        """Nothing that the old connection carried arrives."""
        self.link.clear()
        self.once: set[int] = set()
        self.flight.restart(self.window, self.newest)

    def write(self, *, alarm: bool = False, raw: int = 0) -> int:
        """``raw``: bytes of raw windows; 0: it holds none."""
        self.written += 1
        if raw:
            self.raws[self.written] = raw
        insort(self.alarms if alarm else self.others, self.written)
        return self.written

    def send(self) -> list[int]:
        """Whatever may go now goes."""
        went = []
        while (key := self.flight.due(self.now)) is not None:
            self.flight.sent_again(key, self.now)
            assert key.sequence in self.once
            self._put(key.sequence, Lane.BACKLOG)
        newest = self.newest
        while (lane := self.flight.next(self.now, newest)) is not None:
            pool = self.alarms if lane.alarms else self.others
            at = bisect_right(pool, self.flight.cursor(lane).sequence)
            key = Key(EPOCH, pool[at]) if at < len(pool) else None
            raw = key is not None and key.sequence in self.raws
            if self.flight.found(lane, key, newest, raw=raw):
                assert key is not None
                assert key.sequence not in self.once, "for the first time, only once"
                self.once.add(key.sequence)
                self.flight.sent(key, lane, self.raws.get(key.sequence, self.size), self.now)
                self.first.setdefault(key.sequence, self.now)
                self._put(key.sequence, lane)
                went.append(key.sequence)
            assert self.flight.out <= self.window
        return went

    def _put(self, sequence: int, lane: Lane) -> None:
        self.link.append(sequence)
        self.sendings.append((self.now, sequence, lane))

    def carry(self, count: int, *, lost: Callable[[int], bool] = lambda _: False) -> None:
        """The link carries ``count`` messages to the broker, which loses some; the hub settles the others."""
        for _ in range(min(count, len(self.link))):
            sequence = self.link.popleft()
            self.flight.answered(Key(EPOCH, sequence), self.raws.get(sequence, self.size), 0.1)
            if not lost(sequence):
                self.settled.add(sequence)
                self.times.setdefault(sequence, self.now)

    def mark(self) -> None:
        """The hub tells what it has settled, and the device lets go of it."""
        while self.lowest + 1 in self.settled:
            self.lowest += 1
        mark = self.lowest
        ranges = ranges_of({sequence for sequence in self.settled if sequence > mark})
        self.most_ranges = max(self.most_ranges, len(ranges))
        if len(ranges) > MOST_RANGES:
            half = MOST_RANGES // 2
            ranges = ranges[:half] + ranges[-half:]
        self.flight.settled(EPOCH, mark, ranges, self.now)
        for pool in (self.alarms, self.others):
            for first, last in ((1, mark), *ranges):
                del pool[bisect_left(pool, first) : bisect_right(pool, last)]

    def turn(self, *, seconds: float = 0.1, carries: int = 10_000) -> None:
        self.send()
        self.carry(carries)
        self.mark()
        self.now += seconds

    def finish(self, turns: int = 4000) -> None:
        """Nothing is lost from now on: until all of it is settled."""
        for _ in range(turns):
            if not self.alarms and not self.others:
                return
            self.turn(seconds=1.0)
        raise AssertionError(f"still held after {turns} turns: {(self.alarms + self.others)[:9]}")
