"""Whether a network in another precision is worse where it counts: on the machines that judged its release.

The rule is the gate's own for a candidate against a champion, with float32 as the champion: an error of at
most ``champion_ratio`` x that of float32, on ``confidence`` of the draws of at least ``least_machines``
machines. All three stand in the gate's table of the use case, and nowhere else.
"""

import numpy as np

from cloud_hub.compiler.variants import Held, Judge
from cloud_hub.training.pairing import pair
from cloud_hub.training.scorecard import Scorecard, classes_of, measure_anomaly
from cloud_hub.training.task_card import task_card
from models.examples import UNKNOWN, Examples, Floats, Mask
from models.interface import ANOMALY
from models.use_case import UseCase


def no_worse(held_out: Examples, use_case: UseCase) -> Judge:
    """A judge of answers [n, outputs] to the rows ``held_out``, as the network takes them."""
    known = _known(held_out, use_case)
    rows, rule = held_out.where(known), use_case.gate
    bar = f"<= {rule.champion_ratio:g} x the error in float32 on {rule.confidence:.0%} of draws"

    def judge(own: Floats, whole: Floats) -> Held:
        machines = len(np.unique(rows.machine))
        if machines < rule.least_machines:
            few = f"machines held out whose truth is known: {machines}"
            return Held(passed=False, found=few, bar=f">= {rule.least_machines}")
        for name, answers in (("", own), (" in float32", whole)):
            if not np.isfinite(answers).all():
                return Held(passed=False, found=f"answers{name} that are no number", bar=bar)
        mine, theirs = (_card(rows, answers[known], use_case) for answers in (own, whole))
        found = pair(mine, theirs, rule.champion_ratio)
        told = mine.measure.told
        return Held(
            passed=found.chance >= rule.confidence,
            found=f"{mine.measure.name} {told(found.own)}, in float32 {told(found.other)}",
            bar=bar,
        )

    return judge


def _known(rows: Examples, use_case: UseCase) -> Mask:
    """[n] rows whose truth is known, for the task's own figure."""
    if use_case.task == "remaining-life":
        return rows.failed
    return np.asarray((classes_of(rows) if use_case.task == "fault-class" else rows.health) != UNKNOWN)


def _card(rows: Examples, answers: Floats, use_case: UseCase) -> Scorecard:
    if use_case.task == "anomaly":
        return measure_anomaly(rows, answers[:, use_case.outputs.index(ANOMALY)])
    return task_card(rows, answers, use_case)
