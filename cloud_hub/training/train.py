"""Training: from examples to a judged candidate, the same every time.

The candidate that is judged is the one that ships: nothing is fitted again
afterwards, and the held-out machines are looked at once, by the gate.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloud_hub.training import slices
from cloud_hub.training.alarm_policy import choose
from cloud_hub.training.executor import Executor
from cloud_hub.training.gate import Price, Verdict
from cloud_hub.training.product import Product, highest_anomaly, make
from cloud_hub.training.progress import Progress, silent
from cloud_hub.training.split import Split, kinds_of, split
from cloud_hub.training.trial import Contender, trial
from cloud_hub.training.uncertainty import interval_of
from kernels.interval import Interval
from models import graphs
from models.examples import Examples, Floats
from models.interface import ANOMALY, REMAINING_LIFE
from models.use_case import UseCase
from wire.manifest import AlarmRule

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
    alarms: tuple[AlarmRule, ...]
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
    judging = examples.where(examples.of_machines(parts.held_out))
    runner = graphs.Runner(product.onnx, use_case.outputs)
    candidate = Contender(name="candidate", answers=runner.run(judging.features), learning=parts.learning)
    rules = choose(product.examples, product.unseen, use_case)
    table, why = slices.table_of(product.examples, use_case)
    found = trial(
        judging,
        product.examples,
        candidate,
        use_case,
        interval=product.interval,
        rules=rules,
        price=Price(latency_ms=_latency_ms(runner, judging.features), bytes=len(product.onnx)),
        champion=_contender(champion, judging, use_case) if champion else None,
        cuts=slices.cuts(judging, judging, table),
    )
    progress("gate", 1.0)
    sides = {"held_out": sorted(parts.held_out), "learning": sorted(parts.learning), "no_conditions": why}
    return Candidate(
        onnx=product.onnx,
        interval=product.interval,
        alarms=rules,
        highest_anomaly=product.highest_anomaly,
        verdict=found.verdict,
        metrics=dict(found.metrics) | sides | dict(product.metrics),
    )


def _contender(champion: Champion, judging: Examples, use_case: UseCase) -> Contender:
    answers = graphs.Runner(champion.onnx, use_case.outputs).run(judging.features)
    return Contender(name=champion.release, answers=answers, learning=champion.learning)


def _latency_ms(runner: graphs.Runner, features: Floats) -> float:
    """Median of single predictions: the typical cost, not that of a busy moment."""
    spent = []
    for number in range(TIMED_RUNS):
        row = features[number % len(features)][None]
        began = time.perf_counter()
        runner.run(row)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent)) * 1e3
