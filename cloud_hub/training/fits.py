"""Finished fits on disk: a training that was killed goes on where it was, instead of starting over.

A fit is found again by everything that decides it: material, lesson and code. So a
file can never be taken for the fit of other data, and one that was cut short is none.
"""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cloud_hub.files import write_private
from cloud_hub.training import code
from cloud_hub.training.executor import Executor
from cloud_hub.training.progress import Progress
from models.fitting import Learnt, Lesson, Material


class Fits:
    """The fits of one run in ``folder``, one file each: plain arrays, never pickles."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> Learnt | None:
        """The fit kept under ``key``; None where there is none that can be read whole."""
        try:
            content = io.BytesIO((self._folder / f"{key}.npz").read_bytes())
            with np.load(content, allow_pickle=False) as file:
                weights = tuple(file[f"weight{number}"] for number in range(len(file.files) - 1))
                epochs, error = file["told"].tolist()
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return Learnt(weights=weights, epochs=int(epochs), error=float(error))

    def keep(self, key: str, learnt: Learnt) -> None:
        content = io.BytesIO()
        weights: dict[str, Any] = {f"weight{number}": values for number, values in enumerate(learnt.weights)}
        np.savez(content, told=np.array([learnt.epochs, learnt.error]), **weights)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_private(self._folder / f"{key}.npz", content.getvalue())


def fit_all(
    executor: Executor, material: Material, lessons: Sequence[Lesson], watch: Progress, fits: Fits | None
) -> list[Learnt]:
    """What ``lessons`` teach, in their order; finished ones are taken from ``fits`` and kept there."""
    if fits is None:
        results = executor.fit(material, lessons, watch)
        return [learnt for _, learnt in sorted(results, key=lambda result: result[0])]
    digest = _digest(material)
    keys = [_key(digest, lesson) for lesson in lessons]
    found = {place: learnt for place, key in enumerate(keys) if (learnt := fits.find(key)) is not None}
    left = [place for place in range(len(lessons)) if place not in found]
    for number, learnt in executor.fit(material, [lessons[place] for place in left], watch):
        found[left[number]] = learnt
        fits.keep(keys[left[number]], learnt)
    return [found[place] for place in range(len(lessons))]


def _digest(material: Material) -> str:
    digest = hashlib.sha256(f"{material.kind} {material.outputs} {material.normal.shape}".encode())
    for column in (material.normal, material.goal, material.weight, material.folds):
        digest.update(f"{column.dtype}".encode())
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def _key(digest: str, lesson: Lesson) -> str:
    settings = f"{lesson.network.model_dump_json()} {lesson.budget.model_dump_json()}"
    told = f"{code.version()} {digest} {lesson.fold} {lesson.seed} {settings}"
    return hashlib.sha256(told.encode()).hexdigest()
