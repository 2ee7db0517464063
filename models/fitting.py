"""Fitting one member: it learns on some machines and stops early on others.

A material and a lesson hold everything that decides the outcome, and learning
touches no global chance: the same two give the same weights on the same machine,
whichever process learns them and whatever else that process did before.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, smooth_l1_loss

from models.declared.learning import Budget, Network
from models.networks import perceptron

Floats = NDArray[np.float32]
Watch = Callable[[int, int], None]  # epochs done, epochs there may be; may raise to cancel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """What the members of one head learn from; ``goal`` float32 [m] are shares, int64 [m] are classes."""

    kind: Literal["life", "faults"]
    outputs: int
    normal: Floats  # [m, width] normalised features
    goal: NDArray[np.float32] | NDArray[np.int64]
    weight: Floats  # [m], 1 on average
    folds: NDArray[np.int64]  # [m] of whole machines; -1: taught to every member


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """How one member learns its material: on the rows outside ``fold``, stopped early on those inside."""

    fold: int
    seed: int
    network: Network
    budget: Budget


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    weights: tuple[Floats, ...]  # weight and bias of each layer, in order
    epochs: int
    error: float  # on the fold that stopped it: mean square of the share, or mean surprise; NaN without rows


def learn(material: Material, lesson: Lesson, watch: Watch = lambda done, most: None) -> Learnt:
    """The weights of one member. Pure: to be called in any process."""
    with repeatable(lesson.budget):
        return _Pupil(material, lesson).learn(watch)


def member(material: Material, network: Network, learnt: Learnt) -> nn.Sequential:
    """The perceptron that ``learnt`` describes."""
    made = perceptron(material.normal.shape[1], network.hidden, material.outputs)
    with torch.no_grad():
        for parameter, values in zip(made.parameters(), learnt.weights, strict=True):
            parameter.copy_(torch.from_numpy(values))
    return made.eval()


class _Pupil:
    """One member while it learns."""

    def __init__(self, material: Material, lesson: Lesson) -> None:
        budget = lesson.budget
        self.kind, self.lesson = material.kind, lesson
        self.chance = torch.Generator().manual_seed(lesson.seed)
        self.made = perceptron(material.normal.shape[1], lesson.network.hidden, material.outputs)
        _draw(self.made, self.chance)
        self.average = copy.deepcopy(self.made)
        self.normal = torch.from_numpy(material.normal)
        self.goal, self.weight = torch.from_numpy(material.goal), torch.from_numpy(material.weight)
        inside = material.folds == lesson.fold
        self.others, self.own = (torch.from_numpy(np.flatnonzero(rows)) for rows in (~inside, inside))
        self.optimiser = torch.optim.AdamW(
            self.made.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay
        )
        steps = math.ceil(len(self.others) / budget.batch) * budget.epochs
        self.schedule = _schedule(self.optimiser, budget, steps)

    def learn(self, watch: Watch) -> Learnt:
        budget = self.lesson.budget
        best, since, kept, spent = math.inf, 0, self._weights(), 0
        for epoch in range(1, budget.epochs + 1):
            self._epoch()
            error = self._error()
            if not error >= best:  # without rows to stop on it is NaN: the last epoch counts
                best, since, kept, spent = error, 0, self._weights(), epoch
            else:
                since += 1
            watch(epoch, budget.epochs)
            if since >= budget.patience:
                break
        return Learnt(weights=kept, epochs=spent, error=best)

    def _epoch(self) -> None:
        budget = self.lesson.budget
        order = self.others[torch.randperm(len(self.others), generator=self.chance)]
        for first in range(0, len(order), budget.batch):
            some = order[first : first + budget.batch]
            losses = self._losses(self._disturbed(self.normal[some]), self.goal[some])
            loss = (losses * self.weight[some]).mean()
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
            self.optimiser.step()
            self.schedule.step()
            self._follow()

    def _disturbed(self, value: Tensor) -> Tensor:
        """The member's answer with noise on its inputs and dropout between its layers."""
        settings = self.lesson.network
        if settings.noise:
            value = value + settings.noise * torch.randn(value.shape, generator=self.chance)
        for layer in self.made:
            value = layer(value)
            if isinstance(layer, nn.ReLU) and settings.dropout:
                kept = torch.rand(value.shape, generator=self.chance) >= settings.dropout
                value = value * kept / (1 - settings.dropout)
        return value

    def _losses(self, answer: Tensor, goal: Tensor) -> Tensor:
        settings = self.lesson.network
        if self.kind == "faults":
            return cross_entropy(answer, goal, reduction="none", label_smoothing=settings.label_smoothing)
        return smooth_l1_loss(answer[:, 0], goal, beta=settings.huber, reduction="none")

    @torch.no_grad()
    def _follow(self) -> None:
        """The average trails the member; without averaging it is the member."""
        decay = self.lesson.network.averaging
        for trailing, parameter in zip(self.average.parameters(), self.made.parameters(), strict=True):
            trailing.lerp_(parameter, 1 - decay) if decay else trailing.copy_(parameter)

    @torch.no_grad()
    def _error(self) -> float:
        goal, weight = self.goal[self.own], self.weight[self.own]
        answer = self.average(self.normal[self.own])
        if self.kind == "faults":
            losses = cross_entropy(answer, goal, reduction="none")
        else:
            losses = (answer[:, 0].clamp(0.0, 1.0) - goal).square()
        return float((losses * weight).sum() / weight.sum())

    def _weights(self) -> tuple[Floats, ...]:
        return tuple(value.detach().numpy().copy() for value in self.average.parameters())


def _draw(made: nn.Sequential, chance: torch.Generator) -> None:
    """The usual start of a linear layer, from a generator of its own."""
    for layer in made:
        if isinstance(layer, nn.Linear):
            reach = 1 / math.sqrt(layer.in_features)
            nn.init.uniform_(layer.weight, -reach, reach, generator=chance)
            nn.init.uniform_(layer.bias, -reach, reach, generator=chance)


def _schedule(
    optimiser: torch.optim.Optimizer, budget: Budget, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if budget.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    return torch.optim.lr_scheduler.OneCycleLR(optimiser, budget.learning_rate, steps)


@contextmanager
def repeatable(budget: Budget) -> Iterator[None]:
    """Torch gives the same sums in here wherever it runs: a fixed number of threads, settled algorithms."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(budget.threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
