"""Whether a new model has proved itself, pure: counts in, verdict out.

A share is judged against the number of predictions probation asks for until as
many have come: two bad answers at the start weigh what two bad answers at the
end weigh. Hours are clock time.

Disagreement is the median of ``|new - old| / max(median |old|, median |new|, 2 % of the
output's range)`` over one output: 0 the same, 0.5 a factor of two, 1 one of them says
nothing. It compares what both models said of the same features.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

SMALLEST_SCALE = 0.02  # of the output's range: below it a difference means nothing
JUDGED_OUTPUT = "remaining_life"

Floats = npt.NDArray[np.float64]


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
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    verdict: Verdict
    reason: str


def judge(evidence: Evidence, limits: Limits) -> Judgement:
    """The verdict on a model that showed ``evidence``."""
    seen = evidence.predictions
    wrong = evidence.errors + evidence.bad
    tolerated = limits.max_bad_share * max(seen, limits.predictions)
    if wrong > tolerated:
        return _unhealthy(
            f"expected at most {limits.max_bad_share:.0%} errors and answers out of range, "
            f"got {evidence.errors} and {evidence.bad} of {max(seen, limits.predictions)}"
        )
    if seen < limits.predictions:
        return _wait(f"{seen} of {limits.predictions} predictions")
    if evidence.disagreement is not None and evidence.disagreement > limits.max_disagreement:
        return _unhealthy(
            f"expected a disagreement with the old model of at most {limits.max_disagreement:g}, "
            f"got {evidence.disagreement:.3g}"
        )
    if evidence.p99_ms is not None and evidence.p99_ms > limits.max_p99_ms:
        return _unhealthy(
            f"expected answers within {limits.max_p99_ms:g} ms (p99), got {evidence.p99_ms:.3g} ms"
        )
    if evidence.hours < limits.hours:
        return _wait(f"{evidence.hours:.2f} of {limits.hours:g} hours")
    return Judgement(verdict=Verdict.HEALTHY, reason=f"{seen} predictions in {evidence.hours:.1f} hours")


def disagreement(new: Floats, old: Floats, value_range: float) -> float | None:
    """How far two models are apart; arrays of equal length, non-finite pairs count as far apart."""
    if not len(new):
        return None
    finite = np.isfinite(new) & np.isfinite(old)
    if not finite.any():
        return 1.0
    scale = max(
        float(np.median(np.abs(old[finite]))),
        float(np.median(np.abs(new[finite]))),
        SMALLEST_SCALE * value_range,
        float(np.finfo(np.float32).tiny),
    )
    apart = np.where(finite, np.abs(np.where(finite, new - old, 0.0)), np.inf)
    return float(min(np.median(apart) / scale, 2.0))


def _wait(reason: str) -> Judgement:
    return Judgement(verdict=Verdict.WAIT, reason=reason)


def _unhealthy(reason: str) -> Judgement:
    return Judgement(verdict=Verdict.UNHEALTHY, reason=reason)
