"""One network out of the rows it may learn from, with what members say of rows they had not learnt from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cloud_hub.errors import DatasetError
from cloud_hub.training.executor import Executor
from cloud_hub.training.fits import Fits, fit_all
from cloud_hub.training.progress import Progress
from cloud_hub.training.split import deal, kinds_of
from models import heads
from models.declared.machines import Faults
from models.examples import Examples, Floats, Mask
from models.fitting import Learnt, Lesson, Material, repeatable
from models.interface import ANOMALY, REMAINING_LIFE, fault_output
from models.networks import FaultHead, LifeHead, Network
from models.normal import describe_healthy, normalise
from models.use_case import UseCase

THINNING = 20_261_127  # the seed of which rows are left out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    network: Network
    unseen: Floats  # [n, outputs] of each row by members that had not learnt from it; NaN: there is none
    metrics: Mapping[str, Any]  # plain values, for the run


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where and how it is made."""

    executor: Executor
    watch: Progress
    fits: Fits | None = None


def make_network(rows: Examples, use_case: UseCase, workshop: Workshop) -> Made:
    """Learn ``use_case`` from all machines of ``rows``; their features are the network's inputs.

    Raises DatasetError or FitError where the rows cannot carry it.
    """
    with repeatable(use_case.budget):
        return _Making(rows, use_case, workshop).make()


class _Making:
    """One network while it is made."""

    def __init__(self, rows: Examples, use_case: UseCase, workshop: Workshop) -> None:
        self.rows, self.use_case, self.workshop = rows, use_case, workshop
        dealt = deal(kinds_of(rows, use_case), use_case)
        self.folds = np.array([dealt.get(name, -1) for name in rows.machines], np.int64)[rows.machine]
        self.count = max(dealt.values()) + 1
        self.taught = thinned(rows, use_case.budget.most_rows)
        self.metrics: dict[str, Any] = {"folds": self.count}

    def make(self) -> Made:
        rows, use_case = self.rows, self.use_case
        sound = self._sound()
        informative = self.taught & (rows.failed | sound | (rows.health >= 0))
        normalisation = normalise(rows.features[informative], rows.names, use_case)
        normal = normalisation(torch.from_numpy(rows.features)).numpy()
        healthy, anomaly = describe_healthy(normal, sound & self.taught, self.folds, rows.names, use_case)
        answers = {ANOMALY: anomaly}
        life = self._life(normal, answers) if use_case.task == "remaining-life" else None
        faults = self._faults(use_case.faults, normal, answers) if use_case.faults else None
        network = Network(
            outputs=use_case.outputs, normalisation=normalisation, healthy=healthy, life=life, faults=faults
        )
        unseen = np.stack([answers[name] for name in use_case.outputs], axis=1)
        return Made(network=network, unseen=unseen, metrics=self.metrics)

    def _sound(self) -> Mask:
        sound = heads.sound_rows(self.rows, self.use_case)
        if not (self.taught & sound).any():
            raise DatasetError(
                f"expected rows of sound machines to say what healthy is, got none among {len(self.rows)}: "
                "import verdicts that say when machines were sound, or set anomaly.healthy_rows"
            )
        return sound

    def _life(self, normal: Floats, answers: dict[str, Floats]) -> LifeHead:
        taught, use_case = self.taught, self.use_case
        material = heads.life_material(self.rows.where(taught), normal[taught], self.folds[taught], use_case)
        counts = np.bincount(material.folds, minlength=self.count)
        if not counts.all():
            raise DatasetError(
                f"expected rows with a known remaining life in every fold, got {counts.tolist()}: "
                "wait for failures on more machines"
            )
        given = heads.lessons(material.kind, self.count, use_case)
        head = heads.life_head(material, given, self._fit(material, given), use_case.life.cap)
        answers[REMAINING_LIFE] = heads.unseen(given, head, normal, self.folds)[:, 0]
        self.metrics["learnt_rows"] = len(material.goal)
        return head

    def _faults(self, faults: Faults, normal: Floats, answers: dict[str, Floats]) -> FaultHead:
        outputs = tuple(map(fault_output, faults.classes))
        told = self._told(faults)
        if not told:  # nobody has named a fault yet: everything is sound to this head
            answers |= dict.fromkeys(outputs, np.zeros(len(self.rows), np.float32))
            return heads.blind_fault_head(self.rows.width, outputs)
        taught = self.taught
        material = heads.fault_material(
            self.rows.where(taught), normal[taught], self.folds[taught], told, self.use_case
        )
        given = heads.lessons(material.kind, self.count, self.use_case)
        head = heads.fault_head(material, given, self._fit(material, given), told, outputs)
        likely = heads.unseen(given, head, normal, self.folds)
        answers |= {name: likely[:, place] for place, name in enumerate(outputs, start=1)}
        return head

    def _told(self, faults: Faults) -> tuple[int, ...]:
        """Classes with enough lives to tell them; where they are the task, all have to be among them."""
        found = heads.classes(self.rows, self.use_case)
        lives = dict(zip(faults.classes, found.lives, strict=True))
        few = [f"{name} ({count})" for name, count in lives.items() if count < faults.least_lives]
        if few and self.use_case.task == "fault-class":
            raise DatasetError(
                f"expected at least {faults.least_lives} lives with each fault, got fewer of "
                f"{', '.join(few)}: import labels that name them, or take those classes out of the use case"
            )
        self.metrics |= {"fault_lives": lives, "faults_not_told": few}
        return found.told

    def _fit(self, material: Material, given: list[Lesson]) -> list[Learnt]:
        shop = self.workshop
        learnt = fit_all(shop.executor, material, given, shop.watch, shop.fits)
        self.metrics[f"{material.kind}_members"] = [
            {"fold": lesson.fold, "epochs": found.epochs, "error": _number(found.error)}
            for lesson, found in zip(given, learnt, strict=True)
        ]
        return learnt


def thinned(rows: Examples, most: int) -> Mask:
    """[n] one row out of each k in a row, so that at most ``most`` are left; the same ones every time.

    Which one of the k is left to chance: every k-th would always fall on the same hour of the day.
    """
    step = max(1, -(-len(rows) // most))
    first = np.arange(0, len(rows), step)
    kept = np.zeros(len(rows), bool)
    kept[first + np.random.default_rng(THINNING).integers(0, np.minimum(step, len(rows) - first))] = True
    return kept


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
