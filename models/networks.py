"""The network of a use case: features in, every output of its task out.

The normalisation is part of it, so a device feeds features exactly as its kernels
make them, and no second copy of a mean or a scale can go out of step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.interface import ANOMALY, REMAINING_LIFE


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
class LifeHead:
    """Remaining life: the mean of members that answer in shares of the cap."""

    members: tuple[nn.Sequential, ...]
    cap: float

    def __call__(self, normal: Tensor) -> Tensor:
        shares = torch.stack([member(normal) for member in self.members]).mean(dim=0)
        return (shares * self.cap).clamp(0.0, self.cap)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaultHead:
    """Probabilities of being sound and of each fault: the mean over members."""

    members: tuple[nn.Sequential, ...]
    outputs: tuple[str, ...]  # one a fault; members answer with the logit of "sound" first

    def __call__(self, normal: Tensor) -> Tensor:
        return torch.stack([member(normal).softmax(dim=1) for member in self.members]).mean(dim=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """Heads behind one normalisation; ``outputs`` names its answers in order."""

    outputs: tuple[str, ...]
    normalisation: Normalisation
    healthy: Healthy
    life: LifeHead | None = None
    faults: FaultHead | None = None

    @torch.no_grad()
    def __call__(self, features: Tensor) -> Tensor:
        """float32 [n, width] -> float32 [n, outputs]."""
        normal = self.normalisation(features)
        answers = {ANOMALY: self.healthy(normal)}
        if self.life:
            answers[REMAINING_LIFE] = self.life(normal)
        if self.faults:
            likely = self.faults(normal)
            answers |= {name: likely[:, [place]] for place, name in enumerate(self.faults.outputs, start=1)}
        return torch.cat([answers[name] for name in self.outputs], dim=1)


def perceptron(width: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """One multilayer perceptron [n, width] -> [n, outputs], its weights not drawn yet."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, outputs))
