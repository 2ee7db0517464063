"""Where members are fitted: here, one after the other."""

from collections.abc import Sequence
from typing import Protocol

from cloud_hub.training.progress import Progress
from models.fitting import Learnt, Lesson, learn


class Executor(Protocol):
    def fit(self, lessons: Sequence[Lesson], watch: Progress) -> list[Learnt]:
        """What each lesson teaches, in order; ``watch`` may raise to cancel."""


class InProcess:
    """One member after the other, in this process; a watcher can cancel between epochs."""

    def fit(self, lessons: Sequence[Lesson], watch: Progress) -> list[Learnt]:
        return [self._fit(lesson, number, len(lessons), watch) for number, lesson in enumerate(lessons)]

    def _fit(self, lesson: Lesson, number: int, count: int, watch: Progress) -> Learnt:
        def told(done: int, most: int) -> None:
            stage = f"training: {lesson.material.kind}, member {number + 1} of {count}, epoch {done}"
            watch(stage, (number + done / most) / count)

        return learn(lesson, told)
