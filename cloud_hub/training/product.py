"""The product of a training: one ONNX graph with everything a device needs beside it, before any judgement.

Every machine that is given here is learnt from; who judges is cut off before.
Out-of-fold answers calibrate the interval and serve to choose alarms: about a machine
only members are asked that had not learnt from its rows. They were stopped by them,
though, settings were chosen by them where there is a search, and the scales of the inputs
and the operating conditions are those of all machines here: so these answers are a little
better than those about a new machine. What counts is found on the held-out machines.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from cloud_hub.training.executor import Executor, InProcess
from cloud_hub.training.fits import Fits
from cloud_hub.training.making import Workshop
from cloud_hub.training.progress import Progress, silent
from cloud_hub.training.search import best_network
from cloud_hub.training.uncertainty import interval_of
from kernels import sets
from kernels.conditions import ConditionTable
from kernels.interval import Interval
from models import conditions, graphs
from models.examples import Examples, Floats
from models.export import export
from models.interface import ANOMALY, REMAINING_LIFE
from models.use_case import UseCase

CHECKED_ROWS = 512  # on which the exported graph must agree with the network
ROOM = 10.0  # times the largest anomaly seen: what lies beyond is no answer but a defect


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product:
    onnx: bytes
    interval: Interval | None  # of remaining life
    conditions: ConditionTable | None  # where the feature set needs one
    highest_anomaly: float  # a sound answer lies below
    examples: Examples  # the rows as the network takes them: its names and units are the model's inputs
    unseen: Floats  # [n, outputs] for each of ``examples``, by members that had not learnt from its rows
    metrics: Mapping[str, Any]  # plain values, for the run


def make(
    examples: Examples,
    use_case: UseCase,
    *,
    seed: int | None = None,
    watch: Progress = silent,
    executor: Executor | None = None,
    fits: Fits | None = None,
) -> Product:
    """Learn ``use_case`` from all machines of ``examples``; ``seed`` in place of the budget's.

    ``fits`` keeps what is finished, for another attempt at the same. Raises DatasetError or FitError
    where the examples cannot carry it, GraphError where the export does not answer like the network.
    """
    began = time.monotonic()
    if seed is not None:
        use_case = use_case.model_copy(update={"budget": use_case.budget.model_copy(update={"seed": seed})})
    executor = executor or InProcess()
    table = learn_table(examples, use_case)
    rows = inputs(examples, table, executor)
    made = best_network(rows, use_case, Workshop(executor=executor, watch=watch, fits=fits))
    watch("export", 0.0)
    step = max(1, len(rows) // CHECKED_ROWS)
    onnx = export(made.network, np.ascontiguousarray(rows.features[::step]))
    anomaly = graphs.Runner(onnx, [ANOMALY]).run(rows.features)
    return Product(
        onnx=onnx,
        interval=life_interval(rows, made.unseen, use_case),
        conditions=table,
        highest_anomaly=highest_anomaly(anomaly[:, 0]),
        examples=rows,
        unseen=made.unseen,
        metrics={**made.metrics, "seconds": round(time.monotonic() - began, 2)},
    )


def learn_table(examples: Examples, use_case: UseCase) -> ConditionTable | None:
    """The operating conditions of the machines in ``examples``, if its feature set is read under them."""
    if not sets.feature_set(use_case.feature_set).under_conditions:
        return None
    if use_case.conditions is None:
        raise DatasetError(
            f"{use_case.feature_set} is read under operating conditions: expected [conditions] in the use "
            f"case {use_case.name}, got none: name the signals that say how the machine is run"
        )
    return conditions.learn(examples, use_case.conditions, seed=use_case.budget.seed)


def inputs(examples: Examples, table: ConditionTable | None, executor: Executor | None = None) -> Examples:
    """What a model takes of whole machines under ``table``; rows that have no answer are left out."""
    if table is None:
        return examples
    machines = [examples.where(examples.machine == number) for number in np.unique(examples.machine)]
    return _joined((executor or InProcess()).derive(machines, table))


def highest_anomaly(answers: NDArray[np.float32]) -> float:
    """What no sound answer exceeds, from the anomalies [n] of known rows."""
    finite = answers[np.isfinite(answers)]
    return float(np.ceil(ROOM * max(1.0, finite.max(initial=1.0))))


def life_interval(rows: Examples, answers: Floats, use_case: UseCase) -> Interval | None:
    """The interval of remaining life from ``answers`` [n, outputs]; None for tasks or answers without it."""
    if use_case.task != "remaining-life":
        return None
    life = answers[:, use_case.outputs.index(REMAINING_LIFE)]
    known = rows.failed & np.isfinite(life)
    if not known.any():  # of no sound answer there is none; the gate has a check for that
        return None
    return interval_of(rows.where(known), life[known], use_case)


def _joined(parts: list[Examples]) -> Examples:
    """Parts of the same machines' examples, one after the other."""
    columns = ("machine", "times", "life", "age", "remaining", "health", "fault", "features")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in columns
    }
    return replace(parts[0], **joined)
