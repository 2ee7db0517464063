"""How many bytes go out, and how fast: by the budget that was set, and by what the link takes. Pure.

What has been given to a slow link cannot be overtaken any more, so little is given to it.
"""

BURST_S = 1.0  # of the budget, that may go at once
MOST_AHEAD = 1 << 20  # bytes given to the link that the broker has not taken yet
LEAST_AHEAD = 1 << 14
SLOW_S = 1.0  # a receipt that takes longer: the link is full
QUICK_S = 0.25


class Budget:
    """A token bucket over payload bytes; 0 bytes a second is no bound.

    A batch goes as soon as nothing is owed and its bytes are owed from then on, so the largest
    batch needs no larger bucket. Alarms count for all and are held for no other class: in a
    bucket of their own they wait for the bytes of alarms alone.
    """

    def __init__(self, bytes_per_s: int) -> None:
        self._rate = bytes_per_s
        self._all = self._alarms = bytes_per_s * BURST_S
        self._filled: float | None = None
        self.spent = 0

    def wait(self, now: float, *, alarm: bool) -> float:
        """Seconds until the next may go; 0: now."""
        if not self._rate:
            return 0.0
        self._fill(now)
        return max(0.0, -(self._alarms if alarm else self._all) / self._rate)

    def spend(self, size: int, now: float, *, alarm: bool) -> None:
        """These bytes went out."""
        self.spent += size
        self._fill(now)
        self._all -= size
        if alarm:
            self._alarms -= size

    def _fill(self, now: float) -> None:
        most = self._rate * BURST_S
        gained = 0.0 if self._filled is None else max(0.0, now - self._filled) * self._rate
        self._filled = now
        self._all, self._alarms = min(most, self._all + gained), min(most, self._alarms + gained)


class Pipe:
    """Bytes given to one connection that the broker has not taken; bounded by how soon it takes them."""

    def __init__(self) -> None:
        self._most = MOST_AHEAD // 4
        self._ahead = 0

    @property
    def full(self) -> bool:
        return self._ahead >= self._most

    def given(self, size: int) -> None:
        self._ahead += size

    def taken(self, size: int, took_s: float) -> None:
        """The broker has a message that was given ``took_s`` seconds ago."""
        self._ahead -= size
        if took_s > SLOW_S:
            self._most = max(LEAST_AHEAD, self._most // 2)
        elif took_s < QUICK_S:
            self._most = min(MOST_AHEAD, self._most * 2)
