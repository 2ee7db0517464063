"""Training: from examples to a judged candidate, the same every time.

The candidate that is judged is the one that ships: nothing is fitted again
afterwards, and the held-out machines are looked at once, by the gate.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cloud_hub.training import alarm_policy, baselines
from cloud_hub.training.gate import Costs, Rival, Verdict, judge
from cloud_hub.training.scorecard import Scorecard, measure
from cloud_hub.training.split import Split, split
from cloud_hub.training.uncertainty import interval_of
from kernels.interval import Interval
from models import graphs
from models.examples import Examples, Floats, Mask
from models.export import export
from models.fitting import Fitted, fit
from models.interface import REMAINING_LIFE
from models.use_case import UseCase
from wire.manifest import AlarmRule

CHECKED_ROWS = 512  # on which the exported graph must agree with the network
TIMED_RUNS = 200
ROOM = 10.0  # times the largest anomaly seen: what lies beyond is no answer but a defect

Progress = Callable[[str, float], None]  # stage, share done; may raise to cancel


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model a candidate has to be no worse than."""

    release: str
    onnx: bytes
    learning: frozenset[str]  # machines it learnt from: it may not be judged on those


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    onnx: bytes
    interval: Interval
    alarms: tuple[AlarmRule, ...]
    highest_anomaly: float  # a sound answer lies below
    verdict: Verdict
    metrics: Mapping[str, Any]  # plain values, for the run


def silent(stage: str, share: float) -> None:
    """Progress that nobody watches."""


def train(
    examples: Examples, use_case: UseCase, *, champion: Champion | None = None, progress: Progress = silent
) -> Candidate:
    """Fit an ensemble on whole machines, export it, and judge it on those it never saw.

    Raises DatasetError or FitError where the examples cannot carry it, GraphError
    where the export does not answer like the network.
    """
    parts = _split(examples, use_case)
    began = time.monotonic()
    learning = _thinned(examples.where(examples.of_machines(parts.learning)), use_case.budget.most_rows)
    fitted = _fit(learning, parts, use_case, progress)
    progress("export", 0.0)
    step = max(1, len(learning) // CHECKED_ROWS)
    onnx = export(fitted.network, np.ascontiguousarray(learning.features[::step]))
    known = learning.failed
    alarms = alarm_policy.choose(learning, _answers(fitted, use_case), use_case)
    interval = interval_of(learning.where(known), fitted.unseen[known], use_case)
    spent = {"learnt_rows": int(known.sum()), "seconds": round(time.monotonic() - began, 2)}
    return _judged(
        examples,
        parts,
        use_case,
        onnx,
        interval,
        alarms=alarms,
        champion=champion,
        more=spent,
        progress=progress,
    )


def adopt(
    examples: Examples,
    use_case: UseCase,
    onnx: bytes,
    *,
    champion: Champion | None = None,
    progress: Progress = silent,
) -> Candidate:
    """Judge a network made elsewhere as if trained here; GraphError where no device could run it."""
    progress("checking the graph", 0.0)
    facts = graphs.check(onnx, width=examples.width)
    parts = _split(examples, use_case)
    learning = examples.where(examples.of_machines(parts.learning))
    answers, known = graphs.Runner(onnx).run(learning.features), learning.failed
    alarms = alarm_policy.choose(learning, answers, use_case)
    interval = interval_of(learning.where(known), answers[known, 0], use_case)
    more = {"made_elsewhere": True, "operators": list(facts.operators)}
    return _judged(
        examples,
        parts,
        use_case,
        onnx,
        interval,
        alarms=alarms,
        champion=champion,
        more=more,
        progress=progress,
    )


def _split(examples: Examples, use_case: UseCase) -> Split:
    failed = examples.failed_machines()
    present = {examples.machines[number] for number in np.unique(examples.machine)}
    return split(failed, sorted(present - {*failed}), use_case)


def _thinned(examples: Examples, most: int) -> Examples:
    """Every k-th row, so that at most ``most`` are left."""
    step = -(-len(examples) // most)
    kept: Mask = np.arange(len(examples)) % step == 0
    return examples if step == 1 else examples.where(kept)


def _fit(learning: Examples, parts: Split, use_case: UseCase, progress: Progress) -> Fitted:
    fold = np.array([parts.fold_of(name) if name in parts.learning else -1 for name in learning.machines])
    # NaN compares as False: rows of lives that have not ended say nothing about what is healthy.
    early = learning.age <= use_case.anomaly.healthy_share * (learning.age + learning.remaining)
    return fit(
        learning.features,
        learning.remaining,
        fold[learning.machine].astype(np.int64),
        early,
        use_case=use_case,
        names=learning.names,
        watch=lambda share: progress("training", share),
    )


def _answers(fitted: Fitted, use_case: UseCase) -> Floats:
    """[n, outputs] by members that had not learnt from a row's machine, NaN of the other outputs."""
    answers = np.full((len(fitted.unseen), len(use_case.outputs)), np.nan, np.float32)
    answers[:, use_case.outputs.index(REMAINING_LIFE)] = fitted.unseen
    return answers


def _judged(
    examples: Examples,
    parts: Split,
    use_case: UseCase,
    onnx: bytes,
    interval: Interval,
    *,
    alarms: tuple[AlarmRule, ...],
    champion: Champion | None,
    more: Mapping[str, Any],
    progress: Progress,
) -> Candidate:
    progress("gate", 0.0)
    cap = use_case.life.cap
    judging = examples.where(examples.failed & examples.of_machines(parts.held_out))
    runner = graphs.Runner(onnx)
    answers = runner.run(judging.features)
    card = measure(judging, answers[:, 0], cap=cap, interval=interval)
    guesses = baselines.learn(examples.where(examples.of_machines(parts.learning)), cap=cap)
    rivals = tuple(
        Rival(name=name, card=measure(judging, guess, cap=cap))
        for name, guess in guesses.guess(judging.age).items()
    )
    verdict = judge(
        card,
        rivals,
        _rival(champion, judging, card, use_case) if champion else None,
        costs=Costs(latency_ms=_latency_ms(runner, judging.features), bytes=len(onnx)),
        rule=use_case.gate,
        interval=use_case.interval,
        unit=use_case.life.unit,
    )
    progress("gate", 1.0)
    return Candidate(
        onnx=onnx,
        interval=interval,
        alarms=alarms,
        highest_anomaly=_highest_anomaly(runner.run(examples.features)),
        verdict=verdict,
        metrics=_metrics(card, parts, guesses, champion) | dict(more),
    )


def _rival(champion: Champion, judging: Examples, card: Scorecard, use_case: UseCase) -> Rival | None:
    """The champion on machines that it has not learnt from either; None where too few are left."""
    fair = frozenset(card.machines) - champion.learning
    if len(fair) < use_case.gate.least_machines:
        return None
    rows = judging.where(judging.of_machines(fair))
    answers = graphs.Runner(champion.onnx).run(rows.features)
    return Rival(name=champion.release, card=measure(rows, answers[:, 0], cap=use_case.life.cap))


def _metrics(
    card: Scorecard, parts: Split, guesses: baselines.Baselines, champion: Champion | None
) -> dict[str, Any]:
    return {
        "held_out": sorted(parts.held_out),
        "learning": sorted(parts.learning),
        "rmse": card.rmse,
        "mae": card.mae,
        "coverage": card.coverage,
        "interval_width": card.width,
        "by_machine": dict(zip(card.machines, np.sqrt(card.mean_square).tolist(), strict=True)),
        "baselines": asdict(guesses),
        "champion": champion.release if champion else None,
    }


def _latency_ms(runner: graphs.Runner, features: Floats) -> float:
    """Median of single predictions: the typical cost, not that of a busy moment."""
    spent = []
    for number in range(TIMED_RUNS):
        row = features[number % len(features)][None]
        began = time.perf_counter()
        runner.run(row)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent)) * 1e3


def _highest_anomaly(answers: Floats) -> float:
    finite = answers[:, 1][np.isfinite(answers[:, 1])]
    return float(np.ceil(ROOM * max(1.0, finite.max(initial=1.0))))
