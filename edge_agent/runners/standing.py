"""Whether a way to run a network may answer, pure: a table of what may follow what, and when one is slow.

UNTRIED --proved--> STANDS --failed--> LEFT --proved--> STANDS
   |                                    |  \\--failed--> LEFT, after a longer wait
   +--------missing--------> ABSENT <---+
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

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
    times: float = 10.0  # as long as the next way, p99
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


def p99(seconds: Sequence[float]) -> float:
    """The smallest of ``seconds`` that all but 1 % of them, and all but one at least, do not exceed."""
    exceed = max(len(seconds) // 100, 1)
    return sorted(seconds)[max(len(seconds) - 1 - exceed, 0)]


def slow(taken_s: float, next_name: str, next_s: float, bounds: Bounds) -> str:
    """Why a way whose answers take ``taken_s`` (p99) is left for the next one; empty where it is not.

    ``next_s``: what the next way takes. For one that is no faster, none is left.
    """
    if taken_s <= max(next_s, UNNOTICED_S):
        return ""
    if taken_s > bounds.max_ms / 1000:
        return f"expected answers within {bounds.max_ms:g} ms (p99), got {taken_s * 1000:.3g} ms"
    if taken_s > bounds.times * next_s:
        return (
            f"expected answers within {bounds.times:g} times the {next_s * 1000:.3g} ms of {next_name} (p99),"
            f" got {taken_s * 1000:.3g} ms"
        )
    return ""
