"""One thread for thousands of connections: a selector for what is ready, a heap for what is due."""

import heapq
import selectors
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

LONGEST_S = 0.5  # between two looks at whether it is time to stop


class Ready(Protocol):
    """What a socket belongs to."""

    def read(self) -> None: ...

    def write(self) -> None: ...


class Loop:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Call ``act`` so many seconds from now."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), act))

    def add(self, number: int, owner: Ready) -> None:
        """Serve the socket with this file number."""
        self._selector.register(number, selectors.EVENT_READ, owner)

    def remove(self, number: int) -> None:
        self._selector.unregister(number)

    def want(self, number: int, owner: Ready, *, to_write: bool) -> None:
        """Whether ``owner`` is to hear when it can be written to."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if to_write else 0)
        self._selector.modify(number, events, owner)

    def turn(self, *, wait: bool = True) -> None:
        """Do what is ready and what is due; with ``wait``, wait a moment for it."""
        for key, events in self._selector.select(self._patience() if wait else 0.0):
            if events & selectors.EVENT_READ:
                key.data.read()
            if events & selectors.EVENT_WRITE:
                key.data.write()
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def close(self) -> None:
        self._selector.close()

    def _patience(self) -> float:
        if not self._due:
            return LONGEST_S
        return min(max(0.0, self._due[0][0] - time.monotonic()), LONGEST_S)
