"""Declarations that can be read and could never work: each refused with what was expected and found.

Every part is sound by itself here; this is about what the parts say of each other. An alarm
that cannot fire is worse than none, as somebody counts on it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from models.declared.judging import Alarm, Coverage, Gate
from models.interface import REMAINING_LIFE

if TYPE_CHECKING:
    from models.use_case import UseCase

LARGEST_RATIO = 2.0  # of errors: a model twice as wrong as what it is held against proves nothing
LEAST_CONFIDENCE = 0.5  # below, a comparison holds although it more likely does not
LEAST_COOLDOWN = 1 / 24  # days


def problems(use_case: "UseCase") -> Iterator[str]:
    """What stands in the way of ``use_case``, a sentence each."""
    yield from _interval(use_case.interval, use_case.life.cap if use_case.task == "remaining-life" else None)
    yield from _gate(use_case.gate)
    for number, alarm in enumerate(use_case.alarms):
        for sentence in _alarm(alarm, use_case.life.cap):
            yield f"alarms.{number}: {sentence}"
    yield from _costs(use_case)
    yield from _retraining(use_case)
    if use_case.task == "anomaly" and use_case.budget.search:
        yield (
            "budget.search: expected none for the task anomaly, got one: there is no error to choose"
            " settings by"
        )


def _interval(interval: Coverage, cap: float | None) -> Iterator[str]:
    edges = interval.edges
    if not 0 < interval.coverage < 1:
        yield f"interval.coverage: expected more than 0 and less than 1, got {interval.coverage:g}"
    if not edges or edges[0] > 0 or any(later <= earlier for earlier, later in pairwise(edges)):
        yield f"interval.edges: expected rising numbers from 0 or below on, got {[*edges]}"
    elif cap is not None and edges[-1] >= cap:
        yield f"interval.edges: expected all below life.cap ({cap:g}), got {edges[-1]:g}"


def _gate(gate: Gate) -> Iterator[str]:
    for name in ("baseline_ratio", "champion_ratio", "slice_ratio"):
        if (value := getattr(gate, name)) > LARGEST_RATIO:
            yield f"gate.{name}: expected at most {LARGEST_RATIO:g}, got {value:g}"
    if gate.confidence < LEAST_CONFIDENCE:
        yield f"gate.confidence: expected at least {LEAST_CONFIDENCE:g}, got {gate.confidence:g}"


def _alarm(alarm: Alarm, cap: float) -> Iterator[str]:
    """Life is from 0 to the cap and alarmed where little is left; the others where they are high."""
    life = alarm.output == REMAINING_LIFE
    direction = "below" if life else "above"
    if alarm.direction != direction:
        yield f"expected the direction {direction!r} for {alarm.output}, got {alarm.direction!r}"
        return
    limit, most = (cap, f"life.cap ({cap:g})") if life else (1.0, "1")
    bounded = life or alarm.output.startswith("fault_")
    for value in _limits(alarm):
        if value <= 0 or (bounded and value >= limit):
            below = f" and below {most}" if bounded else ""
            yield f"expected threshold and clear of {alarm.output} above 0{below}, got {value:g}"


def _limits(alarm: Alarm) -> Sequence[float]:
    """Every threshold and every clear that it may come to."""
    if alarm.policy == "fixed":
        return [value for value in (alarm.threshold, alarm.clear) if value is not None]
    side = 1 if alarm.direction == "below" else -1
    clears = [threshold + side * margin for threshold in alarm.thresholds for margin in alarm.margins]
    return [*alarm.thresholds, *clears]


def _costs(use_case: "UseCase") -> Iterator[str]:
    costs = use_case.costs
    if any(alarm.policy == "cost" for alarm in use_case.alarms) and costs.planned >= costs.failure:
        yield (
            f"costs: expected planned below failure ({costs.failure:g}) where alarms are chosen by cost, got"
            f" {costs.planned:g}: no alarm would pay"
        )


def _retraining(use_case: "UseCase") -> Iterator[str]:
    retrain, approval = use_case.retrain, use_case.approval
    if (retrain.every_days or retrain.drift) and retrain.cooldown_days < LEAST_COOLDOWN:
        yield (
            f"retrain.cooldown_days: expected at least {LEAST_COOLDOWN:.2g} (an hour) with every_days or"
            f" drift, got {retrain.cooldown_days:g}: one training would follow another"
        )
    if retrain.admitted == "canary" and (approval.people > 1 or not approval.author_may):
        yield (
            "retrain.admitted: expected 'wait' where approval asks for people (approval.people"
            f" {approval.people}, author_may {str(approval.author_may).lower()}), got 'canary': a policy is"
            " nobody, and its canary would wait for ever"
        )
