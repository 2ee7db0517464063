"""Bodies on their way: a few at once, and fewer from one peer.

A thread of a listener that waits for the rest of a body serves nobody, and nothing ends its wait but the
peer: granian has no limit for bodies, as it has for heads. Whoever begins bodies and never ends them would
hold every thread; so some threads are for bodies, and whatever needs none has the others.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cloud_hub.identity.throttle import network_of


class Arriving:
    """Those on their way to one listener."""

    def __init__(self, *, at_once: int, of_one: int) -> None:
        self._at_once, self._of_one = at_once, of_one
        self._turn = threading.Lock()
        self._on_their_way: Counter[str] = Counter()  # by peer

    @contextmanager
    def place(self, address: str) -> Iterator[bool]:
        """Whether there is a place for one more of ``address``; it is held until the block ends."""
        peer = network_of(address)
        there = self._begins(peer)
        try:
            yield there
        finally:
            if there:
                self._ends(peer)

    def _begins(self, peer: str) -> bool:
        with self._turn:
            if self._on_their_way.total() >= self._at_once or self._on_their_way[peer] >= self._of_one:
                return False
            self._on_their_way[peer] += 1
            return True

    def _ends(self, peer: str) -> None:
        with self._turn:
            self._on_their_way[peer] -= 1
            self._on_their_way += Counter()  # forgets who sends nothing
