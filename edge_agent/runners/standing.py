"""Whether a way to run a network may answer, pure: a table of what may follow what, and when one is slow.

UNTRIED --proved--> STANDS --failed--> LEFT --proved--> STANDS
   |                                    |  \\--failed--> LEFT, after a longer wait
   +--------missing--------> ABSENT <---+
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from types import MappingProxyType
from typing import Self

UNNOTICED_S = 0.005  # an answer that is there so soon is never too slow


class Standing(StrEnum):
    UNTRIED = "untried"
    STANDS = "stands"  # it has answered the golden inputs, and may be asked
    LEFT = "left"  # it failed, or was slow; it is tried again when its wait is over
    ABSENT = "absent"  # what it needs is not installed; not tried again by this agent


class Event(StrEnum):
    PROVED = "proved"
    FAILED = "failed"
    MISSING = "missing"


S, E = Standing, Event

TRANSITIONS: Mapping[Standing, Mapping[Event, Standing]] = MappingProxyType(
    {
        S.UNTRIED: {E.PROVED: S.STANDS, E.FAILED: S.LEFT, E.MISSING: S.ABSENT},
        S.STANDS: {E.FAILED: S.LEFT, E.MISSING: S.LEFT},  # what ran a moment ago may run again
        S.LEFT: {E.PROVED: S.STANDS, E.FAILED: S.LEFT, E.MISSING: S.ABSENT},
        S.ABSENT: {},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """When a way is too slow, and how long it is left alone."""

    max_ms: float = 100.0  # that an answer may take, p99
    times: float = 10.0  # as long as the next way, median
    window: int = 256  # answers that are judged together
    window_s: float = 600.0  # after which fewer do
    fewest: int = 8  # but no fewer: the slowest of them is heeded only if it is not alone
    first_wait_s: float = 30.0
    longest_wait_s: float = 3600.0

    def wait_s(self, failures: int) -> float:
        """After the ``failures``-th failure in a row, from 1."""
        return min(self.first_wait_s * 2.0 ** min(failures - 1, 32), self.longest_wait_s)


def enough(answers: int, passed_s: float, bounds: Bounds) -> bool:
    """Whether ``answers`` that came in ``passed_s`` seconds are judged: by count, or by time at rare rows."""
    return answers >= bounds.window or (answers >= bounds.fewest and passed_s >= bounds.window_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What answers took, in seconds."""

    median_s: float
    p99_s: float  # that all but 1 % of them, and all but one at least, did not exceed

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        exceed = max(len(seconds) // 100, 1)
        p99_s = sorted(seconds)[max(len(seconds) - 1 - exceed, 0)]
        return cls(median_s=median(seconds), p99_s=p99_s)


def slow(taken: Taken, next_name: str, next_s: float, bounds: Bounds) -> str:
    """Why a way whose answers take ``taken`` is left for the next one; empty where it is not.

    ``next_s``: what the next way takes. For one that is no faster, none is left. The two are compared by
    what they usually take: the slowest answers of a busy host are slow whoever gives them.
    """
    if taken.p99_s > max(next_s, UNNOTICED_S, bounds.max_ms / 1000):
        return f"expected answers within {bounds.max_ms:g} ms (p99), got {taken.p99_s * 1000:.3g} ms"
    if taken.median_s > max(UNNOTICED_S, bounds.times * next_s):
        return (
            f"expected answers within {bounds.times:g} times the {next_s * 1000:.3g} ms of {next_name}"
            f" (median), got {taken.median_s * 1000:.3g} ms"
        )
    return ""
