"""Training: from examples to a judged candidate, the same every time.

The candidate that is judged is the one that ships: nothing is fitted again
afterwards, and the held-out machines are looked at once, by the gate.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cloud_hub.training import baselines
from cloud_hub.training.executor import Executor
from cloud_hub.training.gate import Costs, Rival, Verdict, judge
from cloud_hub.training.product import Product, highest_anomaly, make
from cloud_hub.training.progress import Progress, silent
from cloud_hub.training.scorecard import Scorecard, measure
from cloud_hub.training.split import Split, kinds_of, split
from cloud_hub.training.uncertainty import interval_of
from kernels.interval import Interval
from models import graphs
from models.examples import Examples, Floats
from models.interface import ANOMALY, REMAINING_LIFE
from models.use_case import UseCase

TIMED_RUNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model a candidate has to be no worse than."""

    release: str
    onnx: bytes
    learning: frozenset[str]  # machines it learnt from: it may not be judged on those


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    onnx: bytes
    interval: Interval | None
    highest_anomaly: float  # a sound answer lies below
    verdict: Verdict
    metrics: Mapping[str, Any]  # plain values, for the run


def train(
    examples: Examples,
    use_case: UseCase,
    *,
    champion: Champion | None = None,
    progress: Progress = silent,
    executor: Executor | None = None,
) -> Candidate:
    """Make a product of whole machines, and judge it on those it never saw.

    Raises DatasetError or FitError where the examples cannot carry it, GraphError
    where the export does not answer like the network.
    """
    parts = split(kinds_of(examples, use_case), use_case)
    learning = examples.where(examples.of_machines(parts.learning))
    product = make(learning, use_case, watch=progress, executor=executor)
    return _judged(examples, parts, use_case, product, champion=champion, progress=progress)


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
    facts = graphs.check(onnx, width=examples.width, outputs=use_case.outputs)
    parts = split(kinds_of(examples, use_case), use_case)
    rows = examples.where(examples.of_machines(parts.learning))
    answers = graphs.Runner(onnx, use_case.outputs).run(rows.features)
    known = rows.failed
    life = answers[known, use_case.outputs.index(REMAINING_LIFE)]
    product = Product(
        onnx=onnx,
        interval=interval_of(rows.where(known), life, use_case),
        conditions=None,
        highest_anomaly=highest_anomaly(answers[:, use_case.outputs.index(ANOMALY)]),
        examples=rows,
        unseen=answers,
        metrics={"made_elsewhere": True, "operators": list(facts.operators)},
    )
    return _judged(examples, parts, use_case, product, champion=champion, progress=progress)


def _judged(
    examples: Examples,
    parts: Split,
    use_case: UseCase,
    product: Product,
    *,
    champion: Champion | None,
    progress: Progress,
) -> Candidate:
    progress("gate", 0.0)
    cap = use_case.life.cap
    judging = examples.where(examples.failed & examples.of_machines(parts.held_out))
    runner = graphs.Runner(product.onnx, use_case.outputs)
    answers = runner.run(judging.features)
    card = measure(judging, answers[:, 0], cap=cap, interval=product.interval)
    guesses = baselines.learn(examples.where(examples.of_machines(parts.learning)), cap=cap)
    rivals = tuple(
        Rival(name=name, card=measure(judging, guess, cap=cap))
        for name, guess in guesses.guess(judging.age).items()
    )
    verdict = judge(
        card,
        rivals,
        _rival(champion, judging, card, use_case) if champion else None,
        costs=Costs(latency_ms=_latency_ms(runner, judging.features), bytes=len(product.onnx)),
        rule=use_case.gate,
        interval=use_case.interval,
        unit=use_case.life.unit,
    )
    progress("gate", 1.0)
    return Candidate(
        onnx=product.onnx,
        interval=product.interval,
        highest_anomaly=product.highest_anomaly,
        verdict=verdict,
        metrics=_metrics(card, parts, guesses, champion) | dict(product.metrics),
    )


def _rival(champion: Champion, judging: Examples, card: Scorecard, use_case: UseCase) -> Rival | None:
    """The champion on machines that it has not learnt from either; None where too few are left."""
    fair = frozenset(card.machines) - champion.learning
    if len(fair) < use_case.gate.least_machines:
        return None
    rows = judging.where(judging.of_machines(fair))
    answers = graphs.Runner(champion.onnx, use_case.outputs).run(rows.features)
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
