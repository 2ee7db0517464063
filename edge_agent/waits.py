"""How long to wait before trying again: a batch whose mark does not come, a broker that is not there. Pure.

Waits double and are drawn out by chance, so that a fleet that lost its broker at one
instant does not come back at one instant. A device whose name somebody else uses too
waits longer still: each connection of one ends the other's, for ever.
"""

from dataclasses import dataclass
from random import Random

SHORT_S = 5.0  # a connection that ended sooner is as good as none
LONGEST_TAKEN_S = 300.0
UNDISTURBED_S = 900.0  # longer than the longest wait of a twin


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that double from ``first_s`` up to ``longest_s``, each up to half as long again by chance."""

    first_s: float
    longest_s: float

    def wait(self, attempt: int, random: Random) -> float:
        """Seconds after ``attempt`` tries before this one."""
        doubled = self.first_s * 2.0 ** min(attempt, 32)
        return float(min(doubled, self.longest_s) * (1 + random.random() / 2))


class Reconnect:
    """Seconds between two connections.

    The waits begin anew after a connection that outlived two of the longest: one that ended sooner may
    have been ended by a twin, which not every broker tells.
    """

    def __init__(self, usual: Backoff, random: Random) -> None:
        self._usual = usual
        self._taken = Backoff(first_s=usual.longest_s, longest_s=max(usual.longest_s, LONGEST_TAKEN_S))
        self._random = random
        self._attempt = 0
        self.taken = 0  # connections that somebody with our name ended, since we were undisturbed

    def after(self, lived_s: float, *, taken_over: bool) -> float:
        """How long to wait after a connection of ``lived_s`` seconds; 0 where there was none."""
        if taken_over:
            self.taken += 1
            return self._taken.wait(self.taken - 1, self._random)
        if lived_s >= UNDISTURBED_S:
            self.taken = 0
        if lived_s >= 3 * self._usual.longest_s:
            self._attempt = 0
        wait = self._usual.wait(self._attempt, self._random)
        if lived_s < SHORT_S:
            self._attempt += 1
        return wait
