"""How long the windows of a bearing's vibration are to be, chosen without the bearings that are judged.

The rule was written down before it was run. For a fault size that is held out, three
trials are made with each length on the other two sizes alone: learn one, judge the
other, both ways; and learn load 0, judge load 1. The length with the highest mean of
the three accuracies wins; of lengths within ``TIE`` of it the longest, as its lines
are the finest.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations

import numpy as np

from cloud_hub.training.bench_bearing_rig import Rig, ask, by_recording, halves
from models.examples import Mask
from models.use_case import UseCase

SEED = 1
TIE = 0.01


def trials(rig: Rig, use_case: UseCase, *, held_out: int) -> tuple[float, ...]:
    """Accuracy of each trial with the windows of ``rig``, of which none is of the size ``held_out``."""
    return tuple(_accuracy(rig, use_case, learnt, judged) for learnt, judged in sides(rig, held_out))


def sides(rig: Rig, held_out: int) -> Iterator[tuple[Mask, Mask]]:
    """[n] rows to learn from and rows to judge on, of each trial."""
    others = sorted({*rig.size[~rig.sound].tolist()} - {held_out})
    for one, other in permutations(others, 2):
        yield rig.sound | (rig.size == one), rig.size == other
    kept = ~rig.sound & (rig.size != held_out)
    learnt, judged = kept & (rig.load == 0), kept & (rig.load == 1)
    first, last = halves(rig)
    learnt[first] = judged[last] = True
    yield learnt, judged


def choose(scores: Mapping[int, float]) -> int:
    """Of lengths by their mean accuracy the best one; of those within ``TIE`` of it the longest."""
    best = max(scores.values())
    return max(length for length, score in scores.items() if score >= best - TIE)


def _accuracy(rig: Rig, use_case: UseCase, learnt: Mask, judged: Mask) -> float:
    """Groups are recordings: a size has one bearing a class, and one left out must leave its class behind."""
    answers, wanted = ask(by_recording(rig), learnt, judged, use_case, SEED), rig.wanted[judged]
    if wanted.min():  # none is sound, and nobody asks whether
        answers[:, 0] = 0
    return float(np.mean(answers.argmax(axis=1) == wanted))
