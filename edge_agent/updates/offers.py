"""Directives that wait to be judged: from the network's thread to the updates' own."""

import threading
import time
from collections import deque

MOST_WAITING = 64  # older ones make room, the hub sends its wish again
AGAIN_S = 10.0  # for an offer that could not be judged yet

Offer = tuple[str, bytes]  # use case, bytes of the directive


class Offers:
    """``put`` and ``stop`` come from any thread, the rest from the updates' own."""

    def __init__(self) -> None:
        self._waiting: deque[Offer] = deque(maxlen=MOST_WAITING)
        self._again: dict[str, tuple[float, bytes]] = {}  # by use case: when, and which
        self._changed = threading.Condition()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def waiting(self) -> list[Offer]:
        """Those that came since the last :meth:`take`."""
        with self._changed:
            return list(self._waiting)

    def put(self, use_case: str, payload: bytes) -> None:
        with self._changed:
            self._waiting.append((use_case, payload))
            self._changed.notify_all()

    def put_off(self, use_case: str, payload: bytes) -> None:
        """Give it again in a while, unless another one for the use case comes first."""
        self._again[use_case] = (time.monotonic() + AGAIN_S, payload)

    def take(self) -> list[Offer]:
        """What is to be judged now, oldest first."""
        now = time.monotonic()
        due = [(use_case, payload) for use_case, (when, payload) in self._again.items() if when <= now]
        with self._changed:
            taken = due + list(self._waiting)
            self._waiting.clear()
        for use_case, _ in taken:
            self._again.pop(use_case, None)
        return taken

    def wait(self, seconds: float) -> bool:
        """Sleep until something is offered or ``seconds`` have passed; whether to end."""
        with self._changed:
            if seconds > 0 and not self._waiting and not self._stopping:
                self._changed.wait(seconds)
            return self._stopping

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
