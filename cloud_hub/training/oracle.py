"""The oracle: boosted trees on the same folds and features, to tell a poor network from poor features.

Trees do not run where devices run, so they never ship. A network that is much worse
than they are has left something in the features; one that is not cannot be blamed.
"""

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cloud_hub.registry.wording import figure
from cloud_hub.training.gate import Check, Verdict
from cloud_hub.training.making import thinned
from cloud_hub.training.split import deal, kinds_of
from cloud_hub.training.task_card import task_card
from models import heads
from models.declared.learning import Oracle
from models.examples import Examples, Floats
from models.fitting import Material
from models.interface import REMAINING_LIFE, fault_output
from models.normal import normalise
from models.use_case import UseCase

STOP_AFTER = 20  # rounds without getting better on the fold
TREES = {
    "learning_rate": 0.08,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "max_bin": 63,
    "lambda_l2": 1.0,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """The errors of network and trees on the same held-out machines; None with the reason in ``said``."""

    said: str  # one sentence
    figure: str = ""
    network: float | None = None
    trees: float | None = None
    much_worse: bool = False
    seconds: float = 0.0


def ask(learning: Examples, judging: Examples, answers: Floats, use_case: UseCase) -> Opinion:
    """Hold ``answers`` [n, outputs] for the rows of ``judging`` against trees taught by ``learning``."""
    if use_case.task == "anomaly":
        return Opinion(
            said="trees need rows of both kinds, and the task anomaly learns from sound ones alone"
        )
    try:
        import lightgbm  # noqa: F401, PLC0415 - may be absent
    except ImportError as error:
        return Opinion(said=f"LightGBM cannot be used here ({error}): install andon[train] to have an oracle")
    began = time.monotonic()
    guess = _answers(learning, judging, use_case)
    network, trees = task_card(judging, answers, use_case), task_card(judging, guess, use_case)
    limit = use_case.budget.oracle.much_worse * trees.figure + trees.measure.least
    worse = network.figure > limit
    told = trees.measure.told
    return Opinion(
        said=f"{trees.measure.name} {told(network.figure)}, trees {figure(trees.figure)}: "
        + (
            "much worse: the features hold more than the network found"
            if worse
            else "no worse than they allow"
        ),
        figure=trees.measure.name,
        network=network.figure,
        trees=trees.figure,
        much_worse=worse,
        seconds=round(time.monotonic() - began, 2),
    )


def weigh(opinion: Opinion, verdict: Verdict, rule: Oracle) -> Verdict:
    """``verdict`` with the opinion in its evidence, and a check of it where ``rule`` refuses."""
    evidence = {**verdict.evidence, "oracle": asdict(opinion)}
    if not rule.refuse:
        return replace(verdict, evidence=evidence)
    check = Check(
        name="error against trees",
        passed=not opinion.much_worse,
        found=opinion.said,
        bar=f"at most {rule.much_worse:g} x theirs",
    )
    reason = verdict.reason
    if not check.passed:
        said = f"{check.name}: expected {check.bar}, got {check.found}"
        reason = said if verdict.passed else f"{reason}; {said}"
    return replace(
        verdict,
        passed=verdict.passed and check.passed,
        reason=reason,
        checks=(*verdict.checks, check),
        evidence=evidence,
    )


def _answers(learning: Examples, judging: Examples, use_case: UseCase) -> Floats:
    """[n, outputs] for ``judging``: the mean of trees taught without each fold; NaN beside the task."""
    taught = learning.where(thinned(learning, use_case.budget.oracle.most_rows))
    dealt = deal(kinds_of(learning, use_case), use_case)
    folds = np.array([dealt.get(name, -1) for name in taught.machines], np.int64)[taught.machine]
    normalisation = normalise(taught.features, taught.names, use_case)
    normal, asked = (normalisation(torch.from_numpy(rows.features)).numpy() for rows in (taught, judging))
    found = np.full((len(judging), len(use_case.outputs)), np.nan, np.float32)
    if use_case.task == "remaining-life":
        material = heads.life_material(taught, normal, folds, use_case)
        share = _mean(material, asked, use_case)[:, 0]
        found[:, use_case.outputs.index(REMAINING_LIFE)] = use_case.life.cap * np.clip(share, 0, 1)
        return found
    assert use_case.faults
    told = heads.classes(taught, use_case).told
    likely = _mean(heads.fault_material(taught, normal, folds, told, use_case), asked, use_case)
    for name in use_case.faults.classes:
        found[:, use_case.outputs.index(fault_output(name))] = 0.0
    for number, place in enumerate(told, start=1):
        name = fault_output(use_case.faults.classes[place])
        found[:, use_case.outputs.index(name)] = likely[:, number]
    return found


def _mean(material: Material, asked: Floats, use_case: UseCase) -> NDArray[np.float64]:
    """[n, answers]: the mean of one set of trees a fold."""
    count = int(material.folds.max()) + 1
    answers = [_trees(material, fold, asked, use_case).reshape(len(asked), -1) for fold in range(count)]
    mean: NDArray[np.float64] = np.mean(answers, axis=0)
    return mean


def _trees(material: Material, fold: int, asked: Floats, use_case: UseCase) -> NDArray[np.float64]:
    """What trees say that learnt outside ``fold`` and were stopped inside it."""
    import lightgbm  # noqa: PLC0415 - may be absent

    kind: dict[str, Any] = {"objective": "regression"}
    if material.kind == "faults":
        kind = {"objective": "multiclass", "num_class": material.outputs}
    own = material.folds == fold
    sides = [
        lightgbm.Dataset(material.normal[rows], material.goal[rows], weight=material.weight[rows])
        for rows in (~own, own)
    ]
    stopping: list[Any] = [lightgbm.early_stopping(STOP_AFTER, verbose=False)] if own.any() else []
    made = lightgbm.train(
        {**TREES, **kind, "seed": use_case.budget.seed},
        sides[0],
        num_boost_round=use_case.budget.oracle.rounds,
        valid_sets=sides[1:] if own.any() else None,
        callbacks=stopping,
    )
    return np.asarray(made.predict(asked), np.float64)
