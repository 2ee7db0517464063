"""Two releases of a use case beside each other, from the evidence that was kept when each was judged. Pure.

Only machines that both had held out count: neither has learnt from them. Each was
judged on the rows that its own dataset had of a machine; where the datasets differ, so may the rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud_hub.errors import ConflictError
from cloud_hub.registry.models import Model
from cloud_hub.training.pairing import Pairing, pair_losses
from cloud_hub.training.scorecard import Measure

BESIDE = ("coverage", "interval_width", "latency_ms", "bytes", "mae", "missed_alarms", "false_alarms")
ALARMS = ("caught", "failures", "late", "false_per_month", "cost_per_month", "lead")
CONFIDENCE = 0.9  # of the band of the ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``beside``, ``alarms`` and ``slices`` hold by name what each of the two has, the first first."""

    releases: tuple[str, str]
    figure: str
    unit: str
    pairing: Pairing
    losses: dict[str, tuple[float, float]]  # by machine, the figure of each release on it alone
    beside: dict[str, tuple[Any, Any]]
    alarms: dict[str, tuple[Any, Any]]
    slices: dict[str, tuple[float, float, int]]  # and on how many machines

    def to_fields(self) -> dict[str, Any]:
        found = self.pairing
        return {
            "releases": list(self.releases),
            "figure": self.figure,
            "unit": self.unit,
            "machines": len(found.machines),
            "values": [found.own, found.other],
            "ratio": list(found.ratio_band(CONFIDENCE)),
            "chance_better": found.chance_better,
            "machines_better": sum(one < other for one, other in self.losses.values()),
            "by_machine": {name: list(pair) for name, pair in self.losses.items()},
            "beside": {name: list(pair) for name, pair in self.beside.items()},
            "alarms": {name: list(pair) for name, pair in self.alarms.items()},
            "slices": {name: list(row) for name, row in self.slices.items()},
        }


def compare(one: Model, other: Model) -> Comparison:
    """Hold ``one`` against ``other``; ConflictError where they have nothing to be compared by."""
    evidence = (_evidence(one), _evidence(other))
    first, second = evidence
    measure = _measure(one, other, first, second)
    losses = tuple(dict(zip(each["machines"], each["losses"], strict=True)) for each in evidence)
    pairing = pair_losses(measure, *losses)
    if not pairing.machines:
        raise ConflictError(
            f"expected machines that both {one.release} and {other.release} were judged on, got none"
        )
    own, against = losses
    alarms = [each.get("alarms") or {} for each in evidence]
    return Comparison(
        releases=(one.release, other.release),
        figure=measure.name,
        unit=measure.unit,
        pairing=pairing,
        losses={
            name: (_figure(measure, own[name]), _figure(measure, against[name])) for name in pairing.machines
        },
        beside=_both(BESIDE, first, second),
        alarms=_both(ALARMS, *alarms),
        slices=_slices(measure, first, second),
    )


def _evidence(model: Model) -> Mapping[str, Any]:
    evidence: Mapping[str, Any] = model.gate.get("evidence") or {}
    if "losses" not in evidence:
        raise ConflictError(f"{model.release} was judged before losses were kept by machine: train it anew")
    return evidence


def _measure(one: Model, other: Model, first: Mapping[str, Any], second: Mapping[str, Any]) -> Measure:
    figures = [(each["figure"]["name"], each["figure"]["unit"], each["squared"]) for each in (first, second)]
    if one.use_case != other.use_case or figures[0] != figures[1]:
        raise ConflictError(
            f"expected two releases of one use case, judged by one figure, got {one.release} by "
            f"{figures[0][0]} and {other.release} by {figures[1][0]}"
        )
    name, unit, squared = figures[0]
    return Measure(name=name, unit=unit, squared=squared, least=first["least"])


def _figure(measure: Measure, loss: float) -> float:
    return float(measure.figure([loss]))


def _both(
    names: tuple[str, ...], first: Mapping[str, Any], second: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    return {
        name: (first.get(name), second.get(name))
        for name in names
        if first.get(name) is not None or second.get(name) is not None
    }


def _slices(
    measure: Measure, first: Mapping[str, Any], second: Mapping[str, Any]
) -> dict[str, tuple[float, float, int]]:
    """Sites and conditions that both were judged on, on the machines that both had there."""
    other = {row["name"]: row["losses"] for row in second["slices"]}
    found = {}
    for row in first["slices"]:
        pairing = pair_losses(measure, row["losses"], other.get(row["name"], {}))
        if pairing.machines:
            found[row["name"]] = (pairing.own, pairing.other, len(pairing.machines))
    return found
