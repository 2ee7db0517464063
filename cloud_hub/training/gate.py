"""The gate between a candidate and a release: pure arithmetic on scorecards of the same held-out machines.

A verdict names every check with what was found and what was asked, so that a
refusal can be argued with, and an approval be explained a year later. What is
asked are sizes that matter, held with a stated confidence: no difference is too small
to refuse for because there are many machines, and luck passes a candidate about as
often as that confidence leaves room for. Simulated with 2 to 15 machines whose errors
vary by 30 % each: at a confidence of 0.9 one that is just not good enough passes in 10
to 12 % of trials, one no better than a guess passes "<= 0.9 x" in 2 to 8 %, and one 30 %
worse than the champion "<= 1.05 x" in 6 % at two machines, 3 % at three, under 1 % from
eight on. The price: with three machines, one that is 20 % better than the champion passes
in 4 of 10 trials (7 of 10 where errors vary by 15 %); hold out more machines to tell more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cloud_hub.registry.wording import figure, share, size
from cloud_hub.training import evidence
from cloud_hub.training.alarm_checks import AlarmTrial
from cloud_hub.training.pairing import Pairing, pair, pair_slice
from cloud_hub.training.scorecard import Scorecard
from cloud_hub.training.uncertainty import binomial_band
from models.declared.judging import Coverage, Gate


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
    to_beat: bool = True  # else it is shown, and not held against the candidate
    own: Scorecard | None = None  # the candidate's on the same rows, where its card has others


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one prediction takes of a device, as measured where the model was made."""

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
    baselines: Sequence[Rival],
    champion: Rival | None,
    *,
    price: Price,
    rule: Gate,
    interval: Coverage,
    alarms: AlarmTrial | None = None,
    checks: Sequence[Check] = (),
) -> Verdict:
    """Judge a ``card`` against the best of the ``baselines`` to be beaten, and the ``champion`` if any.

    ``alarms`` where the use case has any; ``checks`` of others are told with its own.
    """
    best = min((rival for rival in baselines if rival.to_beat), key=lambda rival: rival.card.figure)
    duels = [_duel(card, best, rule.baseline_ratio)]
    duels += [_duel(card, champion, rule.champion_ratio)] if champion else []
    parts = _parts(card, champion, rule) if champion else {}
    told = (
        *checks,
        _enough(card, rule),
        _sound(card),
        *(_better(duel, rule) for duel in duels),
        *_slices(parts, champion, rule),
        *_covers(card, interval),
        *_false(card, rule),
        *_alarms(alarms),
        *_cheap(price, rule),
    )
    failed = [check for check in told if not check.passed]
    kept = {
        "latency_ms": price.latency_ms,
        "bytes": price.bytes,
        "baselines": {rival.name: rival.card.figure for rival in baselines},
        "slices": evidence.of_slices(card, parts, rule),
        "alarms": alarms.to_fields() if alarms else None,
        **_compared(card, duels, rule),
    }
    return Verdict(passed=not failed, reason=_reason(failed, card, best), checks=told, evidence=kept)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Duel:
    own: Scorecard
    rival: Rival
    ratio: float  # of the rival's error, that may be reached
    found: Pairing


def _compared(card: Scorecard, duels: Sequence[_Duel], rule: Gate) -> dict[str, Any]:
    """What is kept of the card and of what it was held against."""
    paired = [
        evidence.of_duel(duel.own, duel.rival.name, duel.rival.card, duel.found, rule) for duel in duels
    ]
    return {**evidence.of_card(card), "confidence": rule.confidence, "paired": paired}


def _duel(card: Scorecard, rival: Rival, ratio: float) -> _Duel:
    own = rival.own or card
    return _Duel(own=own, rival=rival, ratio=ratio, found=pair(own, rival.card, ratio))


def _parts(card: Scorecard, champion: Rival, rule: Gate) -> dict[str, Pairing]:
    """Sites and conditions that both cards have, on the machines that both have there."""
    pairs = {
        own.name: pair_slice(card.measure, own, other, rule.slice_ratio)
        for own in (champion.own or card).slices
        if (other := champion.card.slice(own.name)) is not None
    }
    return {name: found for name, found in pairs.items() if found.machines}


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


def _better(duel: _Duel, rule: Gate) -> Check:
    found, theirs, told = duel.found, duel.rival.card.figure, duel.own.measure.told
    return Check(
        name=f"error against {duel.rival.name}",
        passed=found.machines == duel.rival.card.machines and found.chance >= rule.confidence,
        found=f"{duel.own.measure.name} {told(found.own)}, within it on {found.chance:.0%} of draws",
        bar=f"<= {told(duel.ratio * theirs)} ({duel.ratio:g} x {figure(theirs)}) "
        f"on {rule.confidence:.0%} of draws",
    )


def _slices(parts: Mapping[str, Pairing], champion: Rival | None, rule: Gate) -> tuple[Check, ...]:
    """A part is held against a candidate only where it is worse with confidence: parts are many."""
    if champion is None or not parts:
        return ()
    judged = {name: found for name, found in parts.items() if len(found.machines) >= rule.slice_machines}
    worse = {name: found for name, found in judged.items() if 1 - found.chance >= rule.confidence}
    told = "; ".join(
        f"{name}: {figure(found.own)} against {figure(found.other)}" for name, found in worse.items()
    )
    return (
        Check(
            name=f"sites and conditions against {champion.name}",
            passed=not worse,
            found=told or f"none worse, of {len(judged)} with enough machines",
            bar=f"none above {rule.slice_ratio:g} x its error on {rule.confidence:.0%} of draws",
        ),
    )


def _covers(card: Scorecard, interval: Coverage) -> tuple[Check, ...]:
    """The interval must hold what it promises, as far as so few machines can tell."""
    if card.coverage is None:
        return ()
    low, _ = binomial_band(interval.coverage, len(card.machines))
    return (
        Check(
            name="coverage of the interval",
            passed=card.coverage >= low,
            found=f"{card.coverage:.2f}",
            bar=f">= {low:.2f} ({interval.coverage:g} less what {len(card.machines)} machines may deviate)",
        ),
    )


def _alarms(alarms: AlarmTrial | None) -> tuple[Check, ...]:
    if alarms is None:
        return ()
    return tuple(
        Check(name=limit.name, passed=limit.held, found=limit.found, bar=limit.bar)
        for limit in alarms.limits()
    )


def _false(card: Scorecard, rule: Gate) -> tuple[Check, ...]:
    """Where no label calls a machine faulty, being better than always alarming proves nothing yet."""
    found = card.more.get("false_alarms")
    return () if found is None else (_within("sound rows called anomalous", found, rule.most_false, share),)


def _cheap(price: Price, rule: Gate) -> tuple[Check, ...]:
    return (
        _within("latency of one prediction", price.latency_ms, rule.latency_ms, "{:.4g} ms".format),
        _within("size", price.bytes, rule.bytes, size),
    )


def _within(name: str, found: float, limit: float, told: Callable[[float], str]) -> Check:
    return Check(name=name, passed=found <= limit, found=told(found), bar=f"<= {told(limit)}")


def _reason(failed: list[Check], card: Scorecard, best: Rival) -> str:
    if failed:
        return "; ".join(f"{check.name}: expected {check.bar}, got {check.found}" for check in failed)
    told, machines = f"{card.measure.name} {card.measure.told(card.figure)}", len(card.machines)
    return f"{told} on {machines} held-out machines, against {figure(best.card.figure)} by {best.name}"
