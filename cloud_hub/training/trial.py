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
from cloud_hub.training.fairness import answered, compared, heard, silence, spread
from cloud_hub.training.gate import Check, Price, Rival, Verdict, judge
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

Cuts = Mapping[str, Mask]  # by name, masks of the stored rows: the parts to look at apart


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contender:
    """The champion that a network on trial has to be no worse than."""

    name: str
    answers: Floats  # [k, outputs] on the stored rows of the trial; NaN where it says nothing
    learning: frozenset[str]  # machines it learnt from: it may not be judged on those


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    verdict: Verdict
    metrics: Mapping[str, Any]  # plain values, for the run


def trial(
    stored: Examples,
    judging: Examples,
    learning: Examples,
    answers: Floats,
    use_case: UseCase,
    *,
    crossed: Floats,
    interval: Interval | None,
    rules: Sequence[AlarmRule],
    price: Price,
    champion: Contender | None = None,
    cuts: Cuts | None = None,
    checks: Sequence[Check] = (),
) -> Trial:
    """Judge the candidate that gave ``answers`` [n, outputs] for the rows of ``judging``.

    ``judging``: those of the [k] rows ``stored`` that it answers; ``learning``: those that taught it, and
    ``crossed`` [m, outputs] what networks that had not learnt from them say of these, or NaN.
    DatasetError where no row of ``judging`` can tell.
    """
    known, said = _known(judging, use_case), answered(stored, judging)
    rows, parts = judging.where(known), {name: mask[said][known] for name, mask in (cuts or {}).items()}
    card = _score(rows, answers[known], use_case, interval=interval, cuts=parts)
    silent = 1 - int(known.sum()) / int(_known(stored, use_case).sum())
    duel = _duel(champion, stored, spread(stored, judging, answers), use_case, cuts or {})
    verdict = judge(
        card,
        _guesses(rows, learning, use_case),
        duel.rival,
        price=price,
        rule=use_case.gate,
        interval=use_case.interval,
        alarms=_alarms(judging, learning, answers, crossed, use_case, rules=rules) if rules else None,
        checks=(*checks, silence(silent, use_case.gate), *duel.checks),
    )
    more = _faults(judging, answers, use_case) | _bins(rows, answers[known], use_case, interval)
    metrics = _metrics(card, learning, use_case) | {"champion": champion.name if champion else None}
    kept = {**verdict.evidence, "silent": silent, **more}
    return Trial(verdict=replace(verdict, evidence=kept), metrics=metrics)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Duel:
    rival: Rival | None = None
    checks: tuple[Check, ...] = ()


def _duel(champion: Contender | None, stored: Examples, own: Floats, use_case: UseCase, cuts: Cuts) -> _Duel:
    """Candidate and champion on machines that neither has learnt from, on rows that either answers.

    Whoever is silent on a row is wrong about it. No rival where too few machines are left.
    """
    if champion is None:
        return _Duel()
    told = _known(stored, use_case) & ~(np.isnan(own) & np.isnan(champion.answers)).all(axis=1)
    judging = {stored.machines[number] for number in np.unique(stored.machine[told])}
    fair = frozenset(judging) - champion.learning
    check = compared(champion.name, fair, judging, use_case.gate)
    if not check.passed:
        return _Duel(checks=(check,))
    told &= stored.of_machines(fair)
    rows, parts = stored.where(told), {name: mask[told] for name, mask in cuts.items()}
    mine, theirs = (_score(rows, each[told], use_case, cuts=parts) for each in (own, champion.answers))
    return _Duel(rival=Rival(name=champion.name, card=theirs, own=mine), checks=(check,))


def _alarms(
    judging: Examples,
    learning: Examples,
    answers: Floats,
    crossed: Floats,
    use_case: UseCase,
    *,
    rules: Sequence[AlarmRule],
) -> AlarmTrial:
    told = heard(crossed)
    lives = service.lives_of(judging)
    age = service.best_age(service.lives_of(learning), use_case.costs)
    return AlarmTrial(
        figures=alarm_policy.judge(judging, answers, rules, use_case),
        crossed=alarm_policy.judge(learning.where(told), crossed[told], rules, use_case),
        never_alarming=alarm_policy.judge(judging, answers, (), use_case).cost_per_month,
        renewing_by_age=None if age is None else service.renewing(lives, use_case.costs, age),
        renewal_age=age,
        unit=use_case.life.unit,
        currency=use_case.costs.currency,
        declared=use_case.alarms,
    )


def _bins(rows: Examples, answers: Floats, use_case: UseCase, interval: Interval | None) -> dict[str, Any]:
    """The interval bin by bin, where there is one."""
    if interval is None:
        return {}
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
