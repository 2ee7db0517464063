"""Who is learnt from, who stops the learning, and who judges: always whole machines.

Held-out machines are chosen by a hash of their names, so that they stay held out
from one training to the next: a champion has not learnt from the machines that
its challenger is measured on.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from cloud_hub.errors import DatasetError
from models.use_case import UseCase

LEAST_LEARNING = 2  # machines that must be left to learn from and to stop on


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    held_out: frozenset[str]
    folds: tuple[frozenset[str], ...]  # of the others

    @property
    def learning(self) -> frozenset[str]:
        return frozenset().union(*self.folds)

    def fold_of(self, machine: str) -> int:
        return next(number for number, fold in enumerate(self.folds) if machine in fold)


def split(failed: Sequence[str], censored: Sequence[str], use_case: UseCase) -> Split:
    """Split machines with failures, and deal those without (they show only what healthy is).

    Raises DatasetError where there are too few machines to learn from and to judge on.
    """
    holdout, ranked = use_case.holdout, _ranked(failed, use_case.name)
    count = max(holdout.least, math.floor(holdout.share * len(ranked) + 0.5))
    learning = ranked[count:]
    if len(learning) < LEAST_LEARNING:
        raise DatasetError(
            f"expected at least {count + LEAST_LEARNING} machines that failed ({count} to judge on), "
            f"got {len(ranked)}: wait for failures on more machines"
        )
    members = min(use_case.budget.members, len(learning))
    folds: list[set[str]] = [set() for _ in range(members)]
    for number, name in enumerate([*learning, *_ranked(censored, use_case.name)]):
        folds[number % members].add(name)
    return Split(held_out=frozenset(ranked[:count]), folds=tuple(map(frozenset, folds)))


def _ranked(names: Sequence[str], use_case: str) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(f"{use_case}/{name}".encode()).digest())
