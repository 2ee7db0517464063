"""The network of a remaining-life use case: raw features in, remaining life and anomaly out.

The normalisation is part of it, so a device feeds features exactly as its kernels
make them, and no second copy of a mean or a scale can go out of step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normalisation:
    """z = clip((x - mean) * rate, -clip, clip); a rate of 0 takes a feature out."""

    mean: Tensor  # [width]
    rate: Tensor  # [width]
    clip: float

    def __call__(self, features: Tensor) -> Tensor:
        return ((features - self.mean) * self.rate).clamp(-self.clip, self.clip)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Healthy:
    """The whitened distance of z from healthy machines, divided by what is still healthy."""

    centre: Tensor  # [width]
    whitening: Tensor  # [width, width]; symmetric; zero rows take features out
    edge: float

    def __call__(self, normal: Tensor) -> Tensor:
        white = (normal - self.centre) @ self.whitening
        return white.square().sum(dim=1, keepdim=True).sqrt() / self.edge


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RemainingLifeNetwork:
    """An ensemble behind one normalisation, with the distance from healthy beside it."""

    normalisation: Normalisation
    members: tuple[nn.Sequential, ...]
    healthy: Healthy
    cap: float  # members answer in shares of it

    @torch.no_grad()
    def __call__(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """float32 [n, width] -> ``remaining_life`` [n, 1] within 0 and cap, ``anomaly`` [n, 1]."""
        normal = self.normalisation(features)
        shares = torch.cat([member(normal) for member in self.members], dim=1).mean(dim=1, keepdim=True)
        return (shares * self.cap).clamp(0.0, self.cap), self.healthy(normal)


def member(width: int, hidden: tuple[int, ...], dropout: float) -> nn.Sequential:
    """One multilayer perceptron [n, width] -> [n, 1]."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, 1))
