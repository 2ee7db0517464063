"""The product of a training: one ONNX graph with everything a device needs beside it, before any judgement.

Every machine that is given here is learnt from; who judges is cut off before.
Nothing is said about a machine by a member that learnt from it: out-of-fold
answers calibrate the interval and serve to choose alarms.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from cloud_hub.training.executor import Executor, InProcess
from cloud_hub.training.progress import Progress, silent
from cloud_hub.training.split import deal, kinds_of
from cloud_hub.training.uncertainty import interval_of
from kernels.interval import Interval
from models import graphs, heads
from models.examples import Examples, Floats, Mask
from models.export import export
from models.fitting import Learnt, Lesson
from models.interface import ANOMALY, REMAINING_LIFE, fault_output
from models.networks import FaultHead, LifeHead, Network
from models.normal import describe_healthy, normalise
from models.use_case import UseCase

CHECKED_ROWS = 512  # on which the exported graph must agree with the network
ROOM = 10.0  # times the largest anomaly seen: what lies beyond is no answer but a defect


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product:
    onnx: bytes
    interval: Interval | None  # of remaining life
    conditions: Any | None
    highest_anomaly: float  # a sound answer lies below
    examples: Examples  # the rows as the network takes them: its names and units are the model's inputs
    unseen: Floats  # [n, outputs] for each of ``examples``, by members that had not learnt on its machine
    metrics: Mapping[str, Any]  # plain values, for the run


def make(
    examples: Examples,
    use_case: UseCase,
    *,
    seed: int | None = None,
    watch: Progress = silent,
    executor: Executor | None = None,
) -> Product:
    """Learn ``use_case`` from all machines of ``examples``; ``seed`` in place of the budget's.

    Raises DatasetError or FitError where the examples cannot carry it, GraphError
    where the export does not answer like the network.
    """
    if seed is not None:
        use_case = use_case.model_copy(update={"budget": use_case.budget.model_copy(update={"seed": seed})})
    return _Making(examples, use_case, executor or InProcess(), watch).make()


class _Making:
    """One product while it is made."""

    def __init__(self, examples: Examples, use_case: UseCase, executor: Executor, watch: Progress) -> None:
        self.use_case, self.executor, self.watch = use_case, executor, watch
        self.rows = examples
        dealt = deal(kinds_of(examples, use_case), use_case)
        fold = np.array([dealt.get(name, -1) for name in examples.machines], np.int64)
        self.folds = fold[examples.machine]
        self.count = int(fold.max()) + 1
        self.metrics: dict[str, Any] = {"folds": self.count}

    def make(self) -> Product:
        began = time.monotonic()
        taught = _thinned(self.rows, self.use_case.budget.most_rows)
        network, unseen = self._network(taught)
        self.watch("export", 0.0)
        step = max(1, len(self.rows) // CHECKED_ROWS)
        onnx = export(network, np.ascontiguousarray(self.rows.features[::step]))
        answers = graphs.Runner(onnx, network.outputs).run(self.rows.features)
        self.metrics["seconds"] = round(time.monotonic() - began, 2)
        return Product(
            onnx=onnx,
            interval=self._interval(unseen),
            conditions=None,
            highest_anomaly=highest_anomaly(answers[:, network.outputs.index(ANOMALY)]),
            examples=self.rows,
            unseen=unseen,
            metrics=self.metrics,
        )

    def _network(self, taught: Mask) -> tuple[Network, Floats]:
        """The network, and out-of-fold answers [n, outputs] of every row."""
        use_case, rows = self.use_case, self.rows
        sound = heads.sound_rows(rows, use_case)
        if not (taught & sound).any():
            raise DatasetError(
                f"expected rows of sound machines, got none among {len(rows)}: import verdicts that say when "
                "machines were sound, or set anomaly.healthy_rows"
            )
        informative = taught & (rows.failed | sound | (rows.health >= 0))
        normalisation = normalise(rows.features[informative], rows.names, use_case)
        normal = normalisation(torch.from_numpy(rows.features)).numpy()
        healthy, anomaly = describe_healthy(normal, sound & taught, self.folds, rows.names, use_case)
        answers = {ANOMALY: anomaly}
        life = faults = None
        if use_case.task == "remaining-life":
            life = self._life(normal, taught, answers)
        if use_case.faults:
            faults = self._faults(normal, taught, answers)
        network = Network(
            outputs=use_case.outputs, normalisation=normalisation, healthy=healthy, life=life, faults=faults
        )
        return network, np.stack([answers[name] for name in use_case.outputs], axis=1)

    def _life(self, normal: Floats, taught: Mask, answers: dict[str, Floats]) -> LifeHead:
        rows, use_case = self.rows, self.use_case
        material = heads.life_material(rows.where(taught), normal[taught], self.folds[taught], use_case)
        counts = np.bincount(material.folds, minlength=self.count)
        if not counts.all():
            raise DatasetError(
                f"expected rows with a known remaining life in every fold, got {counts.tolist()}: "
                "wait for failures on more machines"
            )
        given = heads.lessons(material, self.count, use_case)
        learnt = self._fit(given)
        head = heads.life_head(given, learnt, use_case.life.cap)
        answers[REMAINING_LIFE] = heads.unseen(given, head, normal, self.folds)[:, 0]
        self.metrics |= {"learnt_rows": len(material.goal)}
        return head

    def _faults(self, normal: Floats, taught: Mask, answers: dict[str, Floats]) -> FaultHead:
        rows, use_case = self.rows, self.use_case
        assert use_case.faults
        names = use_case.faults.classes
        outputs = tuple(map(fault_output, names))
        found = heads.classes(rows, use_case)
        self.metrics["fault_lives"] = dict(zip(names, found.lives, strict=True))
        if use_case.task == "fault-class" and len(found.told) < len(names):
            lacking = [
                f"{name} ({found.lives[place]})"
                for place, name in enumerate(names)
                if place not in found.told
            ]
            raise DatasetError(
                f"expected at least {use_case.faults.least_lives} lives of every fault class, got fewer of "
                f"{', '.join(lacking)}: import labels that name them, or take the class out of the use case"
            )
        if not found.told:
            head = heads.blind_fault_head(rows.width, outputs)
            answers |= dict.fromkeys(outputs, np.zeros(len(rows), np.float32))
            return head
        material = heads.fault_material(
            rows.where(taught), normal[taught], self.folds[taught], found.told, use_case
        )
        given = heads.lessons(material, self.count, use_case)
        head = heads.fault_head(given, self._fit(given), found.told, outputs)
        likely = heads.unseen(given, head, normal, self.folds)
        answers |= {name: likely[:, place] for place, name in enumerate(outputs, start=1)}
        return head

    def _fit(self, given: list[Lesson]) -> list[Learnt]:
        learnt = self.executor.fit(given, self.watch)
        kind = given[0].material.kind
        self.metrics[f"{kind}_members"] = [
            {
                "fold": lesson.fold,
                "epochs": found.epochs,
                "error": found.error if found.error == found.error else None,
            }
            for lesson, found in zip(given, learnt, strict=True)
        ]
        return learnt

    def _interval(self, unseen: Floats) -> Interval | None:
        if self.use_case.task != "remaining-life":
            return None
        place = self.use_case.outputs.index(REMAINING_LIFE)
        known = self.rows.failed & np.isfinite(unseen[:, place])
        return interval_of(self.rows.where(known), unseen[known, place], self.use_case)


def highest_anomaly(answers: NDArray[np.float32]) -> float:
    """What no sound answer exceeds, from the anomalies [n] of known rows."""
    finite = answers[np.isfinite(answers)]
    return float(np.ceil(ROOM * max(1.0, finite.max(initial=1.0))))


def _thinned(examples: Examples, most: int) -> Mask:
    """[n] every k-th row, so that at most ``most`` are left."""
    step = -(-len(examples) // most)
    kept: Mask = np.arange(len(examples)) % step == 0
    return kept
