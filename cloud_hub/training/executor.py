"""Where the work of a training is done; here it is this process.

Whoever does it calls the same pure functions with the same values, so it gives
the same bytes on the same kind of machine.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from cloud_hub.training.progress import Progress
from kernels.conditions import ConditionTable
from models.conditions import derive
from models.examples import Examples
from models.fitting import Learnt, Lesson, Material, learn

Results = Iterator[tuple[int, Learnt]]  # each with the place of its lesson, in any order


class Executor(Protocol):
    def fit(self, material: Material, lessons: Sequence[Lesson], watch: Progress) -> Results:
        """What each lesson teaches, as soon as it is learnt; ``watch`` may raise to cancel."""

    def derive(self, machines: Sequence[Examples], table: ConditionTable) -> list[Examples]:
        """What a model takes of each machine's stored rows under ``table``."""


class InProcess:
    """One member after the other; a watcher can cancel between epochs."""

    def fit(self, material: Material, lessons: Sequence[Lesson], watch: Progress) -> Results:
        for place, lesson in enumerate(lessons):
            yield place, self._learn(material, lesson, place, len(lessons), watch)

    def derive(self, machines: Sequence[Examples], table: ConditionTable) -> list[Examples]:
        return [derive(own, table) for own in machines]

    def _learn(self, material: Material, lesson: Lesson, place: int, count: int, watch: Progress) -> Learnt:
        def told(done: int, most: int) -> None:
            stage = f"training: {material.kind}, member {place + 1} of {count}, epoch {done}"
            watch(stage, (place + done / most) / count)

        return learn(material, lesson, told)
