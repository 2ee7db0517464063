"""Fitting an ensemble: each member learns on some machines and stops early on others.

The same arrays, settings and seed give the same weights on the same machine:
one seed, a fixed number of threads, deterministic algorithms only.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from models.declared.learning import Budget
from models.errors import FitError
from models.networks import Healthy, Normalisation, RemainingLifeNetwork, member
from models.use_case import UseCase

CONSTANT = 1e-5  # a spread below this share of the mean is rounding, not information
HUBER = 0.08  # of the cap: larger errors count linearly, as few lives are far off

Floats = NDArray[np.float32]
Watch = Callable[[float], None]  # told the share done; may raise to cancel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    network: RemainingLifeNetwork
    unseen: Floats  # [n] each row's remaining life by the member that had not learnt on it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """What members learn from: normalised features and capped remaining life as a share of the cap."""

    normal: Tensor  # [n, width]
    share: Tensor  # [n]


def fit(
    features: Floats,
    remaining: Floats,
    folds: NDArray[np.int64],
    healthy: NDArray[np.bool_],
    *,
    use_case: UseCase,
    names: Sequence[str],
    watch: Watch = lambda share: None,
) -> Fitted:
    """Member k learns on the rows of other folds and stops early on fold k.

    ``features`` float32 [n, width]; ``remaining`` [n], NaN where unknown: such rows only
    help to say what is healthy; ``folds`` [n], of whole machines; ``healthy`` [n].
    Raises FitError where nothing varies or a fold is empty.
    """
    budget, known = use_case.budget, ~np.isnan(remaining)
    counts = np.bincount(folds[known], minlength=budget.members) if known.any() else np.zeros(1)
    if len(counts) < 2 or not counts.all():
        raise FitError(f"expected rows with a known remaining life in every fold, got {counts.tolist()}")
    with _repeatable(budget):
        normalisation = normalise(features[known], names, use_case)
        every = normalisation(torch.from_numpy(features))
        material = Material(
            normal=every[torch.from_numpy(known)],
            share=torch.from_numpy(np.minimum(remaining[known], use_case.life.cap) / use_case.life.cap),
        )
        members, unseen = _members(material, folds[known], use_case, watch)
        network = RemainingLifeNetwork(
            normalisation=normalisation,
            members=members,
            healthy=describe_healthy(every[torch.from_numpy(healthy)], names, use_case),
            cap=use_case.life.cap,
        )
    spread = np.full(len(features), np.nan, np.float32)
    spread[known] = unseen
    return Fitted(network=network, unseen=spread)


def normalise(features: Floats, names: Sequence[str], use_case: UseCase) -> Normalisation:
    """Mean and rate of each feature; constant and excluded ones get rate 0."""
    wide = torch.from_numpy(features).double()
    mean, spread = wide.mean(dim=0), wide.std(dim=0, unbiased=False)
    allowed = _match(names, use_case.network.include) & ~_match(names, use_case.network.exclude)
    useful = allowed & (spread > CONSTANT * mean.abs().clamp(min=1e-3))
    if not useful.any():
        raise FitError(
            f"expected features that vary, got constants only ({int(allowed.sum())} of {len(names)} may be "
            "used): are the sensors connected?"
        )
    rate = torch.where(useful, 1 / spread.clamp(min=1e-30), torch.zeros_like(spread))
    return Normalisation(mean=mean.float(), rate=rate.float(), clip=use_case.network.clip)


def describe_healthy(normal: Tensor, names: Sequence[str], use_case: UseCase) -> Healthy:
    """Centre, whitening and edge of healthy rows [n, width] (normalised features)."""
    settings = use_case.anomaly
    wide = normal.double()
    used = (~_match(names, settings.exclude)).double()
    centre = wide.mean(dim=0)
    covariance = (wide - centre).T @ (wide - centre) / len(wide)
    # Shrinking towards the unit matrix keeps directions that hardly varied while healthy from dominating.
    covariance = (1 - settings.shrinkage) * covariance + settings.shrinkage * torch.eye(len(centre)).double()
    variances, axes = torch.linalg.eigh(covariance * torch.outer(used, used) + torch.diag(1 - used))
    whitening = (axes / variances.clamp(min=1e-9).sqrt()) @ axes.T * torch.outer(used, used)
    distance = ((wide - centre) @ whitening).square().sum(dim=1).sqrt()
    edge = float(torch.quantile(distance, settings.edge_share))
    return Healthy(centre=centre.float(), whitening=whitening.float(), edge=max(edge, 1e-6))


def _members(
    material: Material, folds: NDArray[np.int64], use_case: UseCase, watch: Watch
) -> tuple[tuple[nn.Sequential, ...], Floats]:
    budget = use_case.budget
    unseen = np.full(len(folds), np.nan, np.float32)
    members = []
    count = int(folds.max()) + 1
    for fold in range(count):
        generator = torch.Generator().manual_seed(budget.seed + fold)
        torch.manual_seed(budget.seed + fold)
        network = member(material.normal.shape[1], use_case.network.hidden, use_case.network.dropout)
        others, own = (torch.from_numpy(np.flatnonzero(rows)) for rows in (folds != fold, folds == fold))

        def report(share: float, done: int = fold) -> None:
            watch((done + share) / count)

        _fit_member(network, material, (others, own), budget, generator=generator, watch=report)
        unseen[folds == fold] = _answers(network, material.normal[own]).numpy() * use_case.life.cap
        members.append(network)
    return tuple(members), unseen


def _fit_member(
    network: nn.Sequential,
    material: Material,
    rows: tuple[Tensor, Tensor],
    budget: Budget,
    *,
    generator: torch.Generator,
    watch: Watch,
) -> None:
    """Learn on the first ``rows``; keep the weights of the epoch that was best on the second."""
    others, own = rows
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay
    )
    steps = math.ceil(len(others) / budget.batch) * budget.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, budget.learning_rate, steps)
    best, since, kept = math.inf, 0, _weights(network)
    for epoch in range(budget.epochs):
        network.train()
        order = others[torch.randperm(len(others), generator=generator)]
        for first in range(0, len(order), budget.batch):
            some = order[first : first + budget.batch]
            loss = smooth_l1_loss(network(material.normal[some])[:, 0], material.share[some], beta=HUBER)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
            optimiser.step()
            schedule.step()
        error = float((_answers(network, material.normal[own]) - material.share[own]).square().mean())
        best, since, kept = (error, 0, _weights(network)) if error < best else (best, since + 1, kept)
        watch((epoch + 1) / budget.epochs)
        if since >= budget.patience:
            break
    network.load_state_dict(kept)
    network.eval()


@torch.no_grad()
def _answers(network: nn.Sequential, normal: Tensor) -> Tensor:
    network.eval()
    answers: Tensor = network(normal)
    return answers[:, 0].clamp(0.0, 1.0)


def _weights(network: nn.Sequential) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _match(names: Sequence[str], patterns: Sequence[str]) -> Tensor:
    return torch.tensor([any(fnmatchcase(name, pattern) for pattern in patterns) for name in names])


@contextmanager
def _repeatable(budget: Budget) -> Iterator[None]:
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(budget.threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
