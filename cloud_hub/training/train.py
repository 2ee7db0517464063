"""Training: from examples to a judged candidate, the same every time.

The candidate that is judged is the one that ships: nothing is fitted again
afterwards, and the held-out machines are looked at once, by the gate.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cloud_hub.errors import DatasetError
from cloud_hub.training import oracle, slices
from cloud_hub.training.alarm_policy import choose
from cloud_hub.training.executor import Executor
from cloud_hub.training.explain import sound_row
from cloud_hub.training.fairness import Origin, heard, spread
from cloud_hub.training.fits import Fits
from cloud_hub.training.gate import Price, Verdict
from cloud_hub.training.product import Product, highest_anomaly, inputs, learn_table, life_interval, make
from cloud_hub.training.progress import Progress, silent
from cloud_hub.training.split import Split, kinds_of, split
from cloud_hub.training.trial import Contender, trial
from kernels.conditions import ConditionTable
from kernels.interval import Interval
from models import graphs
from models.examples import Examples, Floats
from models.interface import ANOMALY
from models.use_case import UseCase
from wire.manifest import AlarmRule

TIMED_RUNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model a candidate has to be no worse than."""

    release: str
    onnx: bytes
    learning: frozenset[str]  # machines it learnt from: it may not be judged on those
    conditions: ConditionTable | None = None  # those it reads its features under


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    onnx: bytes
    names: tuple[str, ...]  # of its inputs
    units: tuple[str, ...]
    conditions: ConditionTable | None
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
    fits: Fits | None = None,
) -> Candidate:
    """Make a product of whole machines, and judge it on those it never saw.

    ``fits`` keeps what is finished, for another attempt at the same. Raises DatasetError or FitError
    where the examples cannot carry it, GraphError where the export does not answer like the network.
    """
    parts = split(kinds_of(examples, use_case), use_case)
    learning = examples.where(examples.of_machines(parts.learning))
    product = make(learning, use_case, watch=progress, executor=executor, fits=fits)
    return _judged(examples, parts, use_case, product, champion=champion, progress=progress)


def adopt(
    examples: Examples,
    use_case: UseCase,
    onnx: bytes,
    *,
    learnt_from: frozenset[str] | None = None,
    champion: Champion | None = None,
    progress: Progress = silent,
) -> Candidate:
    """Judge a network made elsewhere as if trained here; GraphError where no device could run it.

    ``learnt_from`` names the machines it has learnt from. Where nobody says, it may have learnt from all:
    the verdict refuses it for that, and as a champion it is held to have learnt from all.
    """
    progress("checking the graph", 0.0)
    kinds = kinds_of(examples, use_case)
    parts = split(kinds, use_case)
    learnt = frozenset(kinds) if learnt_from is None else learnt_from
    learning = examples.where(examples.of_machines(parts.learning))
    product = _brought(learning, use_case, onnx, learnt)
    fresh = frozenset(name for name in parts.held_out - learnt if kinds[name].judges)
    origin = Origin(
        learnt_from=learnt_from,
        fresh=fresh,
        held_out=parts.held_out,
        calibrated_fresh=product.metrics["calibrated_fresh"],
    )
    return _judged(
        examples,
        replace(parts, held_out=parts.held_out - learnt) if fresh else parts,
        use_case,
        replace(product, metrics=origin.to_fields() | dict(product.metrics)),
        champion=champion,
        progress=progress,
        origin=origin,
    )


def _brought(learning: Examples, use_case: UseCase, onnx: bytes, learnt: frozenset[str]) -> Product:
    """``onnx`` as a product; where ``learning`` has other machines, those it ``learnt`` calibrate nothing."""
    table = learn_table(learning, use_case)
    rows = inputs(learning, table)
    facts = graphs.check(onnx, width=rows.width, outputs=use_case.outputs)
    answers = graphs.Runner(onnx, use_case.outputs).run(rows.features)
    fresh = ~rows.of_machines(learnt)
    telling = fresh & rows.failed if use_case.task == "remaining-life" else fresh
    unseen = np.where(fresh[:, None], answers, np.float32(np.nan)) if telling.any() else answers
    return Product(
        onnx=onnx,
        interval=life_interval(rows, unseen, use_case),
        conditions=table,
        highest_anomaly=highest_anomaly(answers[:, use_case.outputs.index(ANOMALY)]),
        examples=rows,
        unseen=unseen,
        metrics={
            "operators": list(facts.operators),
            "learning": sorted(learnt),
            "calibrated_fresh": bool(telling.any()),
        },
    )


def _judged(
    examples: Examples,
    parts: Split,
    use_case: UseCase,
    product: Product,
    *,
    champion: Champion | None,
    progress: Progress,
    origin: Origin | None = None,
) -> Candidate:
    progress("gate", 0.0)
    stored = examples.where(examples.of_machines(parts.held_out))
    judging = _answerable(stored, product)
    runner = graphs.Runner(product.onnx, use_case.outputs)
    answers = runner.run(judging.features)
    told = heard(product.unseen)
    rules = choose(product.examples.where(told), product.unseen[told], use_case)
    table, why = _table(examples.where(examples.of_machines(parts.learning)), product, use_case)
    found = trial(
        stored,
        judging,
        product.examples,
        answers,
        use_case,
        crossed=product.unseen,
        interval=product.interval,
        rules=rules,
        price=Price(latency_ms=_latency_ms(runner, judging.features), bytes=len(product.onnx)),
        champion=_contender(champion, stored, use_case) if champion else None,
        cuts=slices.cuts(stored, stored, table),
        checks=origin.checks(use_case.gate) if origin else (),
    )
    progress("oracle", 0.0)
    opinion = _opinion(product.examples, judging, answers, use_case)
    progress("oracle", 1.0)
    sides = {"held_out": sorted(parts.held_out), "learning": sorted(parts.learning), "no_conditions": why}
    verdict = oracle.weigh(opinion, found.verdict, use_case.budget.oracle)
    metrics = dict(found.metrics) | sides | dict(product.metrics) | {"oracle": asdict(opinion)}
    return _candidate(product, rules, verdict, metrics)


def _candidate(
    product: Product, rules: tuple[AlarmRule, ...], verdict: Verdict, metrics: dict[str, Any]
) -> Candidate:
    return Candidate(
        onnx=product.onnx,
        names=product.examples.names,
        units=product.examples.units,
        conditions=product.conditions,
        interval=product.interval,
        alarms=rules,
        highest_anomaly=product.highest_anomaly,
        verdict=verdict,
        # Explanations compare with a sound row.
        metrics=metrics | {"sound": sound_row(product.examples).tolist()},
    )


def _answerable(stored: Examples, product: Product) -> Examples:
    judging = inputs(stored, product.conditions)
    if not len(judging):
        raise DatasetError(
            f"expected rows of held-out machines that the model can answer, got none of {len(stored)}: "
            "record machines under the operating conditions that others are run under"
        )
    return judging


def _opinion(learning: Examples, judging: Examples, answers: Floats, use_case: UseCase) -> oracle.Opinion:
    if np.isnan(answers).any(axis=1).all():
        return oracle.Opinion(
            said="the network answers no row as a whole: there is nothing to hold trees against"
        )
    return oracle.ask(learning, judging, answers, use_case)


def _table(learning: Examples, product: Product, use_case: UseCase) -> tuple[ConditionTable | None, str]:
    """The operating conditions to look at apart, or why there are none."""
    return (product.conditions, "") if product.conditions else slices.table_of(learning, use_case)


def _contender(champion: Champion, stored: Examples, use_case: UseCase) -> Contender:
    """The champion on the stored rows, read under its own conditions."""
    own = inputs(stored, champion.conditions)
    found = graphs.Runner(champion.onnx, use_case.outputs).run(own.features)
    return Contender(name=champion.release, answers=spread(stored, own, found), learning=champion.learning)


def _latency_ms(runner: graphs.Runner, features: Floats) -> float:
    """Median of single predictions: the typical cost, not that of a busy moment."""
    spent = []
    for number in range(TIMED_RUNS):
        row = features[number % len(features)][None]
        began = time.perf_counter()
        runner.run(row)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent)) * 1e3
