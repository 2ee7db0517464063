"""What is normal, out of rows: how each feature is scaled, and how far from healthy a machine may look."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import FitError
from models.networks import Healthy, Normalisation
from models.use_case import UseCase

CONSTANT = 1e-5  # a spread below this share of the mean is rounding, not information

Floats = NDArray[np.float32]


def normalise(features: Floats, names: Sequence[str], use_case: UseCase) -> Normalisation:
    """Mean and rate of each feature; constant and excluded ones get rate 0."""
    wide = torch.from_numpy(features).double()
    mean, spread = wide.mean(dim=0), wide.std(dim=0, unbiased=False)
    network = use_case.network
    allowed = _match(names, network.include, "network.include")
    allowed &= ~_match(names, network.exclude, "network.exclude")
    useful = allowed & (spread > CONSTANT * mean.abs().clamp(min=1e-3))
    if not useful.any():
        raise FitError(
            f"expected features that vary, got constants only ({int(allowed.sum())} of {len(names)} may be "
            "used): are the sensors connected?"
        )
    rate = torch.where(useful, 1 / spread.clamp(min=1e-30), torch.zeros_like(spread))
    return Normalisation(mean=mean.float(), rate=rate.float(), clip=use_case.network.clip)


def describe_healthy(
    normal: Floats, sound: NDArray[Any], folds: NDArray[Any], names: Sequence[str], use_case: UseCase
) -> tuple[Healthy, Floats]:
    """The healthy of the rows under ``sound``, and the anomaly of every row [n] as seen from other folds.

    ``normal`` [n, width] are normalised features; ``folds`` [n] of whole machines, -1 in none. The edge
    is where sound machines lie that the centre was not made of: those it was made of look too close.
    """
    wide = torch.from_numpy(normal).double()
    whole = _whiten(wide[torch.from_numpy(sound)], names, use_case)
    distance = _distance(wide, *whole)
    for fold in np.unique(folds[folds >= 0]):
        own, others = folds == fold, sound & (folds != fold)
        if others.any():
            rows = torch.from_numpy(own)
            distance[rows] = _distance(wide[rows], *_whiten(wide[torch.from_numpy(others)], names, use_case))
    share = use_case.anomaly.edge_share
    edge = max(float(np.quantile(distance[torch.from_numpy(sound)].numpy(), share)), 1e-6)
    centre, whitening = whole
    healthy = Healthy(centre=centre.float(), whitening=whitening.float(), edge=edge)
    return healthy, (distance / edge).float().numpy()


def _whiten(wide: Tensor, names: Sequence[str], use_case: UseCase) -> tuple[Tensor, Tensor]:
    """Centre [width] and whitening [width, width] of normalised rows."""
    settings = use_case.anomaly
    used = (~_match(names, settings.exclude, "anomaly.exclude")).double()
    centre = wide.mean(dim=0)
    covariance = (wide - centre).T @ (wide - centre) / len(wide)
    # Shrinking towards the unit matrix keeps directions that hardly varied while healthy from dominating.
    covariance = (1 - settings.shrinkage) * covariance + settings.shrinkage * torch.eye(len(centre)).double()
    variances, axes = torch.linalg.eigh(covariance * torch.outer(used, used) + torch.diag(1 - used))
    whitening = (axes / variances.clamp(min=1e-9).sqrt()) @ axes.T * torch.outer(used, used)
    return centre, whitening


def _distance(wide: Tensor, centre: Tensor, whitening: Tensor) -> Tensor:
    return ((wide - centre) @ whitening).square().sum(dim=1).sqrt()


def _match(names: Sequence[str], patterns: Sequence[str], setting: str) -> Tensor:
    """[width] which of ``names`` any of ``patterns`` matches; FitError for a pattern that matches none."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise FitError(
                f"{setting}: expected patterns of features out of {', '.join(names)[:300]}, got {pattern!r}, "
                "which matches none of them"
            )
    return torch.tensor([any(fnmatchcase(name, pattern) for pattern in patterns) for name in names])
