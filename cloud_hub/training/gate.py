"""The gate between a candidate and a release: pure arithmetic on scorecards of the same held-out machines.

A verdict names every check with what was found and what was asked, so that a
refusal can be argued with, and an approval be explained a year later.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cloud_hub.training.scorecard import Scorecard
from models.declared.judging import Coverage, Gate

DRAWS = 2000  # of the paired bootstrap
SEED = 20_260_901  # fixed: the same scorecards give the same verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    passed: bool
    found: str
    bar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What the candidate is held against, on machines of the candidate's card that it never saw either."""

    name: str
    card: Scorecard


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one prediction costs a device, as measured where the model was made."""

    latency_ms: float
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    passed: bool
    reason: str  # one sentence, for a yes as for a no
    checks: tuple[Check, ...]
    evidence: Mapping[str, Any]

    def to_fields(self) -> dict[str, Any]:
        """Plain values for the registry: ``passed``, ``reason``, ``checks``, ``evidence``."""
        return {
            "passed": self.passed,
            "reason": self.reason,
            "checks": [asdict(check) for check in self.checks],
            "evidence": dict(self.evidence),
        }


def judge(
    card: Scorecard,
    baselines: tuple[Rival, ...],
    champion: Rival | None,
    *,
    costs: Costs,
    rule: Gate,
    interval: Coverage,
    unit: str,
) -> Verdict:
    """Judge a candidate's ``card`` against trivial ``baselines`` and the ``champion``, if there is one."""
    best = min(
        (rival for rival in baselines if rival.name in rule.must_beat), key=lambda rival: rival.card.rmse
    )
    rivals = [(best, rule.baseline_ratio), *([(champion, rule.champion_ratio)] if champion else [])]
    checks = (
        _enough(card, rule),
        _sound(card),
        *(_better(card, rival, ratio, unit) for rival, ratio in rivals),
        *_covers(card, interval),
        _within("latency of one prediction", costs.latency_ms, rule.latency_ms, "ms"),
        _within("size", costs.bytes, rule.bytes, "bytes"),
    )
    failed = [check for check in checks if not check.passed]
    return Verdict(
        passed=not failed,
        reason=_reason(failed, card, best, unit),
        checks=checks,
        evidence={
            "unit": unit,
            "machines": list(card.machines),
            "rows": card.rows,
            "rmse": card.rmse,
            "mae": card.mae,
            "coverage": card.coverage,
            "interval_width": card.width,
            "latency_ms": costs.latency_ms,
            "bytes": costs.bytes,
            "baselines": {rival.name: rival.card.rmse for rival in baselines},
            "paired": [_paired(card, rival) for rival, _ in rivals],
        },
    )


def chance_better(card: Scorecard, rival: Scorecard) -> float:
    """Share of paired bootstrap draws over machines in which ``card`` has the smaller mean square."""
    gain = np.array(rival.mean_square) - np.array(card.mean_square)
    draws = np.random.default_rng(SEED).integers(0, len(gain), (DRAWS, len(gain)))
    return float((gain[draws].mean(axis=1) > 0).mean())


def _enough(card: Scorecard, rule: Gate) -> Check:
    found = len(card.machines)
    return Check(
        name="held-out machines",
        passed=found >= rule.least_machines,
        found=str(found),
        bar=f">= {rule.least_machines}",
    )


def _sound(card: Scorecard) -> Check:
    return Check(
        name="sound answers", passed=card.unsound == 0, found=f"{1 - card.unsound:.1%}", bar="every one"
    )


def _better(card: Scorecard, rival: Rival, ratio: float, unit: str) -> Check:
    own, bar = card.only(rival.card.machines), ratio * rival.card.rmse
    return Check(
        name=f"error against {rival.name}",
        passed=own.machines == rival.card.machines and own.rmse <= bar,
        found=f"RMSE {own.rmse:.4g} {unit}",
        bar=f"<= {bar:.4g} {unit} ({ratio:g} x {rival.card.rmse:.4g})",
    )


def _covers(card: Scorecard, interval: Coverage) -> tuple[Check, ...]:
    """The interval must hold what it promises, as far as so few machines can tell."""
    if card.coverage is None:
        return ()
    wanted = interval.coverage
    slack = 2 * (wanted * (1 - wanted) / len(card.machines)) ** 0.5
    return (
        Check(
            name="coverage of the interval",
            passed=card.coverage >= wanted - slack,
            found=f"{card.coverage:.2f}",
            bar=f">= {wanted - slack:.2f} ({wanted:g} less what {len(card.machines)} machines may deviate)",
        ),
    )


def _within(name: str, found: float, limit: float, unit: str) -> Check:
    return Check(name=name, passed=found <= limit, found=f"{found:.4g} {unit}", bar=f"<= {limit:.4g} {unit}")


def _reason(failed: list[Check], card: Scorecard, best: Rival, unit: str) -> str:
    if failed:
        return "; ".join(f"{check.name}: expected {check.bar}, got {check.found}" for check in failed)
    return (
        f"RMSE {card.rmse:.4g} {unit} on {len(card.machines)} held-out machines, "
        f"against {best.card.rmse:.4g} by {best.name}"
    )


def _paired(card: Scorecard, rival: Rival) -> dict[str, Any]:
    """The comparison machine by machine."""
    own = card.only(rival.card.machines)
    pairs = zip(own.mean_square, rival.card.mean_square, strict=True)
    return {
        "rival": rival.name,
        "machines": list(own.machines),
        "rmse": own.rmse,
        "rival_rmse": rival.card.rmse,
        "machines_better": sum(mine < other for mine, other in pairs),
        "chance_better": chance_better(own, rival.card),
    }
