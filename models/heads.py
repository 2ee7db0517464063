"""Which rows each head of a network learns from, and the head out of what its members learnt.

Remaining life is learnt where a life ended in a failure, classes where labels say
what was wrong, healthy where they say that nothing was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.examples import FAULTY, SOUND, UNKNOWN, Examples, Floats, Mask
from models.fitting import Learnt, Lesson, Material, member
from models.networks import FaultHead, LifeHead, perceptron
from models.use_case import UseCase

NEVER = -1e4  # the logit of a class that nothing was learnt of: its probability is exactly 0
TEMPERATURES = np.geomspace(0.25, 8.0, 141)


def sound_rows(examples: Examples, use_case: UseCase) -> Mask:
    """[n] labelled sound; and where no label says anything, early in a life that ended in a failure."""
    # NaN compares as False: lives that have not ended have no early part.
    early = examples.age <= use_case.anomaly.healthy_share * (examples.age + examples.remaining)
    sound: Mask = (examples.health == SOUND) | ((examples.health == UNKNOWN) & early)
    return sound


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """The classes of ``faults``, by whether there are lives enough to tell them."""

    told: tuple[int, ...]  # indices into the use case's classes
    lives: tuple[int, ...]  # of every class


def classes(examples: Examples, use_case: UseCase) -> Classes:
    """Which fault classes the labelled lives are enough for."""
    faults = use_case.faults
    if faults is None:
        return Classes(told=(), lives=())
    shown, lives = (examples.health == FAULTY) & (examples.fault >= 0), examples.lives
    counts = [
        len(np.unique(lives[shown & (examples.fault == place)])) for place in range(len(faults.classes))
    ]
    told = tuple(place for place, count in enumerate(counts) if count >= faults.least_lives)
    return Classes(told=told, lives=tuple(counts))


def life_material(
    examples: Examples, normal: Floats, folds: NDArray[np.int64], use_case: UseCase
) -> Material:
    """Rows with a known remaining life, capped, as a share of the cap."""
    known, cap = examples.failed, use_case.life.cap
    weight = np.ones(int(known.sum()), np.float32)
    if use_case.budget.weigh == "lives":
        weight = _by_group(examples.lives[known])
    return Material(
        kind="life",
        outputs=1,
        normal=np.ascontiguousarray(normal[known]),
        goal=(np.minimum(examples.remaining[known], cap) / cap).astype(np.float32),
        weight=weight,
        folds=folds[known],
    )


def fault_material(
    examples: Examples, normal: Floats, folds: NDArray[np.int64], told: Sequence[int], use_case: UseCase
) -> Material:
    """Sound rows (class 0) and those of each told fault (1 and on); every life weighs the same in each."""
    goal = np.full(len(examples), -1, np.int64)
    goal[sound_rows(examples, use_case)] = 0
    for number, place in enumerate(told, start=1):
        goal[(examples.health == FAULTY) & (examples.fault == place)] = number
    known = goal >= 0
    goal, lives = goal[known], examples.lives[known]
    return Material(
        kind="faults",
        outputs=1 + len(told),
        normal=np.ascontiguousarray(normal[known]),
        goal=goal,
        weight=_by_group(lives * (1 + len(told)) + goal),
        folds=folds[known],
    )


def lessons(kind: str, count: int, use_case: UseCase) -> list[Lesson]:
    """One a member of the head ``kind``: ``count`` folds by turns, each with a chance of its own."""
    budget = use_case.budget
    head = {"life": 0, "faults": 1}[kind]
    members = range(max(budget.members, count))
    chances = [np.random.SeedSequence([abs(budget.seed), head, number]) for number in members]
    return [
        Lesson(
            fold=number % count,
            seed=int(chance.generate_state(1, np.uint32)[0]),
            network=use_case.network,
            budget=budget,
        )
        for number, chance in zip(members, chances, strict=True)
    ]


def life_head(material: Material, given: Sequence[Lesson], learnt: Sequence[Learnt], cap: float) -> LifeHead:
    return LifeHead(members=_members(material, given, learnt), cap=cap)


def fault_head(
    material: Material,
    given: Sequence[Lesson],
    learnt: Sequence[Learnt],
    told: Sequence[int],
    outputs: Sequence[str],
) -> FaultHead:
    """Members over every class of the use case; of a class that is not told the probability is 0.

    The temperature that makes probabilities honest on machines a member has not seen is folded in.
    """
    members = _members(material, given, learnt)
    rate = 1 / _temperature(material, given, members)
    places = [0, *(place + 1 for place in told)]
    return FaultHead(
        members=tuple(_widened(made, places, 1 + len(outputs), rate) for made in members),
        outputs=tuple(outputs),
    )


def blind_fault_head(width: int, outputs: Sequence[str]) -> FaultHead:
    """A head that knows no fault at all: everything is sound to it."""
    made = perceptron(width, (), 1)
    return FaultHead(members=(_widened(made, [0], 1 + len(outputs), 0.0),), outputs=tuple(outputs))


@torch.no_grad()
def unseen(
    given: Sequence[Lesson], head: LifeHead | FaultHead, normal: Floats, folds: NDArray[np.int64]
) -> Floats:
    """[n, answers] of the members that had not learnt on a row's machine; NaN where all had."""
    answers = head(torch.from_numpy(normal[:1])).shape[1]
    found = np.full((len(normal), answers), np.nan, np.float32)
    for fold in range(int(folds.max()) + 1):
        chosen = tuple(made for made, lesson in zip(head.members, given, strict=True) if lesson.fold == fold)
        part = _with_members(head, chosen)
        found[folds == fold] = part(torch.from_numpy(normal[folds == fold])).numpy()
    return found


def _with_members(head: LifeHead | FaultHead, chosen: tuple[nn.Sequential, ...]) -> LifeHead | FaultHead:
    if isinstance(head, LifeHead):
        return LifeHead(members=chosen, cap=head.cap)
    return FaultHead(members=chosen, outputs=head.outputs)


def _members(
    material: Material, given: Sequence[Lesson], learnt: Sequence[Learnt]
) -> tuple[nn.Sequential, ...]:
    pairs = zip(given, learnt, strict=True)
    return tuple(member(material, lesson.network, found) for lesson, found in pairs)


@torch.no_grad()
def _temperature(material: Material, given: Sequence[Lesson], members: Sequence[nn.Sequential]) -> float:
    """What logits have to be divided by for the least surprise on the folds that members were stopped on.

    Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", ICML 2017, sec. 4.2.
    """
    logits, goals, weights = [], [], []
    for lesson, made in zip(given, members, strict=True):
        rows = material.folds == lesson.fold
        logits.append(made(torch.from_numpy(material.normal[rows])).double())
        goals.append(torch.from_numpy(material.goal[rows]))
        weights.append(torch.from_numpy(material.weight[rows]).double())
    logit, goal, weight = torch.cat(logits), torch.cat(goals), torch.cat(weights)
    if not len(goal):
        return 1.0
    surprise = [
        float((nn.functional.cross_entropy(logit / t, goal, reduction="none") * weight).sum())
        for t in TEMPERATURES.tolist()
    ]
    return float(TEMPERATURES[int(np.argmin(surprise))])


@torch.no_grad()
def _widened(made: nn.Sequential, places: Sequence[int], outputs: int, rate: float) -> nn.Sequential:
    """``made`` with its answers times ``rate`` at ``places`` of as many ``outputs``; the others are never."""
    last = made[-1]
    assert isinstance(last, nn.Linear)
    wide = nn.Linear(last.in_features, outputs)
    wide.weight.zero_()
    wide.bias.fill_(NEVER)
    wide.weight[places] = last.weight * rate
    wide.bias[places] = last.bias * rate
    return nn.Sequential(*list(made)[:-1], wide).eval()


def _by_group(groups: NDArray[np.int64]) -> Floats:
    """Weights under which each group counts the same, 1 on average."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weight = len(groups) / (len(counts) * counts[place])
    return weight.astype(np.float32)
