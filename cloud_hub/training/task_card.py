"""The figure of a task on any answers: what search and oracle compare by is what the gate judges by."""

import numpy as np

from cloud_hub.training.scorecard import Scorecard, classes_of, measure, measure_faults
from models.examples import UNKNOWN, Examples, Floats
from models.interface import REMAINING_LIFE, fault_output
from models.use_case import UseCase


def task_card(rows: Examples, answers: Floats, use_case: UseCase) -> Scorecard:
    """Score ``answers`` [n, outputs] of remaining life or fault classes, where truth and answer are known."""
    if use_case.task == "remaining-life":
        life = answers[:, use_case.outputs.index(REMAINING_LIFE)]
        known = rows.failed & np.isfinite(life)
        return measure(rows.where(known), life[known], cap=use_case.life.cap, unit=use_case.life.unit)
    assert use_case.faults
    likely = answers[:, [use_case.outputs.index(fault_output(name)) for name in use_case.faults.classes]]
    known = (classes_of(rows) != UNKNOWN) & np.isfinite(likely).all(axis=1)
    return measure_faults(rows.where(known), likely[known])
