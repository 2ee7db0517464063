"""Whether a new model has proved itself, pure: counts in, verdict out.

A share is judged against the number of predictions probation asks for until as
many have come: two bad answers at the start weigh what two bad answers at the
end weigh. Hours are clock time.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Limits(Protocol):
    """What a model must keep; ``[probation]`` of the agent's configuration."""

    @property
    def predictions(self) -> int: ...
    @property
    def hours(self) -> float: ...
    @property
    def max_disagreement(self) -> float: ...
    @property
    def max_bad_share(self) -> float: ...
    @property
    def max_p99_ms(self) -> float: ...
    @property
    def max_memory_mb(self) -> float: ...


class Verdict(StrEnum):
    WAIT = "wait"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen since the new model runs."""

    predictions: int  # errors included
    errors: int  # the model raised instead of answering
    bad: int  # answers that were not finite or outside their range
    disagreement: float | None  # None: no old model beside it, or nothing to compare yet
    p99_ms: float | None
    hours: float
    restarts: int
    compared: str = ""  # what the disagreement is about
    memory_mb: float | None = None  # that the agent has grown by; None: nobody can tell

    def plain(self) -> dict[str, Any]:
        """As a report carries it."""
        return {
            "predictions": self.predictions,
            "errors": self.errors,
            "bad": self.bad,
            "disagreement": None if self.disagreement is None else round(self.disagreement, 4),
            "p99_ms": None if self.p99_ms is None else round(self.p99_ms, 3),
            "hours": round(self.hours, 3),
            "restarts": self.restarts,
            "compared": self.compared,
            "memory_mb": None if self.memory_mb is None else round(self.memory_mb, 1),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    verdict: Verdict
    reason: str


def judge(evidence: Evidence, limits: Limits) -> Judgement:
    """The verdict on a model that showed ``evidence``."""
    reason = _wrong(evidence, limits) or _too_big(evidence, limits)
    seen = evidence.predictions
    if not reason and seen < limits.predictions:
        return _wait(f"{seen} of {limits.predictions} predictions")
    reason = reason or _apart(evidence, limits) or _slow(evidence, limits)
    if reason:
        return Judgement(verdict=Verdict.UNHEALTHY, reason=reason)
    if evidence.hours < limits.hours:
        return _wait(f"{evidence.hours:.2f} of {limits.hours:g} hours")
    return Judgement(verdict=Verdict.HEALTHY, reason=f"{seen} predictions in {evidence.hours:.1f} hours")


def _wrong(evidence: Evidence, limits: Limits) -> str:
    asked = max(evidence.predictions, limits.predictions)
    if evidence.errors + evidence.bad <= limits.max_bad_share * asked:
        return ""
    return (
        f"expected at most {limits.max_bad_share:.0%} errors and answers out of range, "
        f"got {evidence.errors} and {evidence.bad} of {asked}"
    )


def _too_big(evidence: Evidence, limits: Limits) -> str:
    """Judged at once: the host ends an agent that eats its memory."""
    if evidence.memory_mb is None or evidence.memory_mb <= limits.max_memory_mb:
        return ""
    return (
        f"expected the agent to grow by at most {limits.max_memory_mb:g} MB of memory, "
        f"got {evidence.memory_mb:.0f} MB"
    )


def _apart(evidence: Evidence, limits: Limits) -> str:
    if evidence.disagreement is None or evidence.disagreement <= limits.max_disagreement:
        return ""
    return (
        f"expected a disagreement with the old model of at most {limits.max_disagreement:g} "
        f"in {evidence.compared}, got {evidence.disagreement:.3g}"
    )


def _slow(evidence: Evidence, limits: Limits) -> str:
    if evidence.p99_ms is None or evidence.p99_ms <= limits.max_p99_ms:
        return ""
    return f"expected answers within {limits.max_p99_ms:g} ms (p99), got {evidence.p99_ms:.3g} ms"


def _wait(reason: str) -> Judgement:
    return Judgement(verdict=Verdict.WAIT, reason=reason)
