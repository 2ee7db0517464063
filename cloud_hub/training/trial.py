"""The trial of a candidate: what the gate needs to know, measured on machines that nothing was learnt from.

One function for every task. The answers come from the graph that would ship, the
alarms from the rules that would ship with it, and guesses without a model from
the machines that the candidate learnt from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cloud_hub.errors import DatasetError
from cloud_hub.training import alarm_policy, baselines, service, trivial
from cloud_hub.training.alarm_checks import AlarmTrial
from cloud_hub.training.gate import Price, Rival, Verdict, judge
from cloud_hub.training.scorecard import (
    Scorecard,
    classes_of,
    measure,
    measure_anomaly,
    measure_faults,
)
from cloud_hub.training.uncertainty import calibration_error, coverage_by_bin
from kernels.interval import Interval
from models.examples import UNKNOWN, Examples, Floats, Mask
from models.interface import ANOMALY, REMAINING_LIFE, fault_output
from models.use_case import UseCase
from wire.manifest import AlarmRule

Cuts = Mapping[str, Mask]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contender:
    """A network on trial, or the champion it has to be no worse than."""

    name: str
    answers: Floats  # [n, outputs] on the rows of the trial, in the order of the use case
    learning: frozenset[str]  # machines it learnt from: it may not be judged on those


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    verdict: Verdict
    metrics: Mapping[str, Any]  # plain values, for the run


def trial(
    judging: Examples,
    learning: Examples,
    candidate: Contender,
    use_case: UseCase,
    *,
    crossed: Floats,
    interval: Interval | None,
    rules: Sequence[AlarmRule],
    price: Price,
    champion: Contender | None = None,
    cuts: Cuts | None = None,
) -> Trial:
    """Judge ``candidate`` on the rows of ``judging``, machines that it has not learnt from.

    ``judging`` and ``learning`` hold rows as the candidate takes them. ``crossed`` [m, outputs]: for the rows
    of ``learning``, by networks that had not learnt from its machine. ``cuts`` are masks [n] of ``judging``:
    the parts to look at apart. DatasetError where no row of ``judging`` can tell.
    """
    known = _known(judging, use_case)
    rows, parts = judging.where(known), {name: mask[known] for name, mask in (cuts or {}).items()}
    card = _score(rows, candidate.answers[known], use_case, interval=interval, cuts=parts)
    sides = (judging, learning, candidate.answers, crossed, use_case)
    alarms = _alarms(*sides, rules=rules) if rules else None
    verdict = judge(
        card,
        _guesses(rows, learning, use_case),
        _rival(champion, rows, known, use_case, cuts=parts) if champion else None,
        price=price,
        rule=use_case.gate,
        interval=use_case.interval,
        alarms=alarms,
    )
    more = _faults(judging, candidate.answers, use_case)
    if interval is not None:
        more |= _bins(rows, candidate.answers[known], use_case, interval)
    metrics = _metrics(card, learning, use_case) | {"champion": champion.name if champion else None}
    return Trial(verdict=replace(verdict, evidence=dict(verdict.evidence) | more), metrics=metrics)


def _known(judging: Examples, use_case: UseCase) -> Mask:
    """[n] the rows whose truth is known, for the task's own figure."""
    told = {
        "remaining-life": judging.failed,
        "fault-class": classes_of(judging) != UNKNOWN,
        "anomaly": judging.health != UNKNOWN,
    }[use_case.task]
    if not told.any():
        wanted = {"remaining-life": "a failure", "fault-class": "a known class", "anomaly": "a known health"}
        raise DatasetError(
            f"expected held-out rows with {wanted[use_case.task]}, got none among {len(judging)}: "
            "import labels of more machines"
        )
    return np.asarray(told)


def _score(
    rows: Examples,
    answers: Floats,
    use_case: UseCase,
    *,
    interval: Interval | None = None,
    cuts: Cuts | None = None,
) -> Scorecard:
    """The card of the task's own output."""
    place = use_case.outputs.index
    if use_case.task == "remaining-life":
        life, unit = answers[:, place(REMAINING_LIFE)], use_case.life.unit
        return measure(rows, life, cap=use_case.life.cap, unit=unit, interval=interval, cuts=cuts)
    if use_case.task == "anomaly":
        return measure_anomaly(rows, answers[:, place(ANOMALY)], cuts=cuts)
    return measure_faults(rows, _likely(answers, use_case), cuts=cuts)


def _likely(answers: Floats, use_case: UseCase) -> Floats:
    """[n, k] the probabilities of the fault classes."""
    assert use_case.faults
    return answers[:, [use_case.outputs.index(fault_output(name)) for name in use_case.faults.classes]]


def _guesses(rows: Examples, learning: Examples, use_case: UseCase) -> tuple[Rival, ...]:
    if use_case.task == "remaining-life":
        cap, unit = use_case.life.cap, use_case.life.unit
        return tuple(
            Rival(
                name=name,
                card=measure(rows, guess, cap=cap, unit=unit),
                to_beat=name in use_case.gate.must_beat,
            )
            for name, guess in baselines.learn(learning, cap=cap).guess(rows.age).items()
        )
    if use_case.task == "anomaly":
        guesses = trivial.anomalies(learning, rows, use_case)
        return tuple(Rival(name=name, card=measure_anomaly(rows, guess)) for name, guess in guesses.items())
    guesses = trivial.classes(learning, rows)
    return tuple(Rival(name=name, card=measure_faults(rows, guess)) for name, guess in guesses.items())


def _rival(
    champion: Contender, rows: Examples, known: Mask, use_case: UseCase, *, cuts: Cuts
) -> Rival | None:
    """The champion on machines that it has not learnt from either; None where too few are left."""
    present = {rows.machines[number] for number in np.unique(rows.machine)}
    fair = frozenset(present) - champion.learning
    if len(fair) < use_case.gate.least_machines:
        return None
    own = rows.of_machines(fair)
    parts = {name: mask[own] for name, mask in cuts.items()}
    answers = champion.answers[known][own]
    return Rival(name=champion.name, card=_score(rows.where(own), answers, use_case, cuts=parts))


def _alarms(
    judging: Examples,
    learning: Examples,
    answers: Floats,
    crossed: Floats,
    use_case: UseCase,
    *,
    rules: Sequence[AlarmRule],
) -> AlarmTrial:
    lives = service.lives_of(judging)
    age = service.best_age(service.lives_of(learning), use_case.costs)
    return AlarmTrial(
        figures=alarm_policy.judge(judging, answers, rules, use_case),
        crossed=alarm_policy.judge(learning, crossed, rules, use_case),
        never_alarming=alarm_policy.judge(judging, answers, (), use_case).cost_per_month,
        renewing_by_age=None if age is None else service.renewing(lives, use_case.costs, age),
        renewal_age=age,
        unit=use_case.life.unit,
        currency=use_case.costs.currency,
        declared=use_case.alarms,
    )


def _bins(rows: Examples, answers: Floats, use_case: UseCase, interval: Interval) -> dict[str, Any]:
    """The interval bin by bin."""
    life = answers[:, use_case.outputs.index(REMAINING_LIFE)]
    wanted = {"coverage": use_case.interval.coverage, "cap": use_case.life.cap}
    return {"coverage_by_bin": coverage_by_bin(rows, life, interval, **wanted)}


def _faults(judging: Examples, answers: Floats, use_case: UseCase) -> dict[str, Any]:
    """How well faults are told where labels know them, and how well what is claimed is meant."""
    truth = classes_of(judging)
    told = truth != UNKNOWN
    if not use_case.faults or not told.any():
        return {}
    likely = _likely(answers[told], use_case)
    card = measure_faults(judging.where(told), likely)
    found = {"error_rate": card.figure, "machines": len(card.machines), "rows": card.rows}
    error = calibration_error(np.nan_to_num(likely), truth[told])
    return {"faults": found | {"calibration_error": error} | dict(card.more)}


def _metrics(card: Scorecard, learning: Examples, use_case: UseCase) -> dict[str, Any]:
    """What others compare a run by; ``by_machine`` is the task's figure on each machine alone."""
    named = card.measure.name.lower().replace(" ", "_")
    losses = np.array(card.loss)[:, None]
    found = {
        named: card.figure,
        **card.more,
        "coverage": card.coverage,
        "interval_width": card.width,
        "by_machine": dict(zip(card.machines, card.measure.figure(losses).tolist(), strict=True)),
    }
    if use_case.task == "remaining-life":
        found["baselines"] = asdict(baselines.learn(learning, cap=use_case.life.cap))
    return found
