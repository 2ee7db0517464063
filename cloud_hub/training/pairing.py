"""Two scorecards of the same machines held against each other, on draws of machines. Pure.

The bootstrap is paired: a hard machine is hard for both, so what is drawn are
machines with both their losses (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 8).
Drawn from few machines, draws vary too little: they are stretched as Student's t is, and on a
logarithmic scale, on which twice and half the error lie equally far off.
Draws are fixed by a seed: the same cards give the same answer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_hub.training.scorecard import Measure, Scorecard, Slice

DRAWS = 2000
SEED = 20_260_901
ROUNDING = 1e-9  # of a logarithm, that decides nothing
NOTHING = 1e-12  # a figure too small for any measure: errors of 0 can be held against each other
SIZE = 50.0  # of a logarithm that still is a number

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairing:
    machines: tuple[str, ...]  # that both have
    own: float  # figure on these
    other: float
    chance: float  # share of draws in which the own figure is at most ``ratio`` x the other
    chance_better: float  # share of draws in which it is smaller
    ratios: Floats  # [DRAWS] the own figure over the other; NaN where both are 0

    def ratio_band(self, confidence: float) -> tuple[float | None, float | None]:
        """Within which the ratio lies on a ``confidence`` of the draws, as much left out at each end."""
        known = self.ratios[np.isfinite(self.ratios)]
        if not len(known):
            return None, None
        low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


def pair(own: Scorecard, other: Scorecard, ratio: float) -> Pairing:
    """``own`` and ``other`` on the machines they share."""
    return _pair(own.measure, _by_name(own), _by_name(other), ratio)


def pair_slice(measure: Measure, own: Slice, other: Slice, ratio: float) -> Pairing:
    return _pair(measure, _by_name(own), _by_name(other), ratio)


def pair_losses(measure: Measure, own: dict[str, float], other: dict[str, float]) -> Pairing:
    """The same of losses by machine."""
    return _pair(measure, own, other, 1.0)


def _by_name(card: Scorecard | Slice) -> dict[str, float]:
    return dict(zip(card.machines, card.loss, strict=True))


def _pair(measure: Measure, own: dict[str, float], other: dict[str, float], ratio: float) -> Pairing:
    machines = tuple(name for name in own if name in other)
    if not machines:
        nothing = np.empty(0)
        return Pairing(
            machines=(), own=np.nan, other=np.nan, chance=np.nan, chance_better=np.nan, ratios=nothing
        )
    mine, theirs = (np.array([losses[name] for name in machines]) for losses in (own, other))
    ratios, over = _drawn(measure, mine, theirs, ratio)
    return Pairing(
        machines=machines,
        own=float(measure.figure(mine)),
        other=float(measure.figure(theirs)),
        chance=float((over <= ROUNDING).mean()),
        chance_better=float((ratios < 1 - ROUNDING).mean()),
        ratios=ratios,
    )


def _drawn(measure: Measure, own: Floats, other: Floats, ratio: float) -> tuple[Floats, Floats]:
    """[DRAWS] the own figure over the other, and by how much (as a logarithm) it is above what it may be.

    The first draw of a spread is that of the machines as they are. ``own`` and ``other`` are losses.
    """
    rng, count = np.random.default_rng(SEED), len(own)
    drawn = np.concatenate([np.arange(count)[None], rng.integers(0, count, (DRAWS, count))])
    mine, theirs = measure.figure(own[drawn]), measure.figure(other[drawn])
    stretch = np.sqrt(count / rng.chisquare(max(count - 1, 1), DRAWS))
    ratios = _stretched(_log_ratio(mine, theirs), stretch)
    over = _stretched(_log_ratio(mine, _bar(theirs, ratio, measure)), stretch)
    return np.where((mine + theirs)[1:] > 0, np.exp(np.clip(ratios, -SIZE, SIZE)), np.nan), over


def _stretched(values: Floats, stretch: Floats) -> Floats:
    """The draws after the first of ``values``, by ``stretch`` farther from that first."""
    moved: Floats = values[0] + stretch * (values[1:] - values[0])
    return moved


def _log_ratio(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.log(above + NOTHING) - np.log(below + NOTHING), np.float64)


def _bar(against: Floats, ratio: float, measure: Measure) -> Floats:
    """What may be reached: to be no worse, a difference that is none in this measure is forgiven too."""
    return ratio * against if ratio < 1 else np.maximum(ratio * against, against + measure.least)
