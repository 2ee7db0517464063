"""How motor-pump sets may differ from those of the first simulations: all of it off unless asked for.

What is not asked for leaves every number as it was, to the last bit, so that a
seed means the same machine for ever.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from simulators.errors import SettingError

NARROWEST, WIDEST = 0.5, 1.75  # beyond, a range would cross zero
MOST_SHIFTED = 1.5  # beyond, machines would hardly do anything but what they can at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a worn-out impeller does, each as a share of what a sound one does, but for two."""

    flow: float  # lost
    head: float  # lost
    power: float  # more
    required: float  # bar more at the inlet before it cavitates
    bubbles: float  # cavitation wherever it runs, in the unit of ``Process.cavitation``
    imbalance: float  # more
    vane_pass: float  # more, beside 0.35 at the best point


class Erosion(StrEnum):
    """How much of an impeller's wear can be felt outside of it."""

    FAINT = "faint"  # next to nothing
    FELT = "felt"  # it loses head, balance and quiet, as eroded impellers do

    @property
    def effect(self) -> Effect:
        return EFFECTS[self]


EFFECTS = {
    Erosion.FAINT: Effect(
        flow=0.05, head=0.06, power=0.0, required=0.10, bubbles=0.5, imbalance=0.5, vane_pass=0.5
    ),
    Erosion.FELT: Effect(
        flow=0.10, head=0.20, power=0.06, required=0.20, bubbles=1.5, imbalance=1.5, vane_pass=1.5
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """From a moment on the plant asks ``demand`` times as much of every machine, up to what each can give.

    Lives that are under way go on with it: what works harder wears faster, by the cube of the load.
    """

    from_us: int
    demand: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    spread: float = (
        1.0  # of the ranges that traits, conditions and lives are drawn from, around their middles
    )
    healthy: float = 0.0  # share of lives that a planned overhaul ends before any damage
    erosion: Erosion = Erosion.FAINT
    shift: Shift | None = None

    def __post_init__(self) -> None:
        if not NARROWEST <= self.spread <= WIDEST:
            raise SettingError(f"expected --spread between {NARROWEST} and {WIDEST}, got {self.spread:g}")
        if not 0 <= self.healthy <= 1:
            raise SettingError(f"expected --healthy between 0 and 1, got {self.healthy:g}")
        if self.shift and not 1.0 <= self.shift.demand <= MOST_SHIFTED:
            raise SettingError(f"expected --shift by 1 to {MOST_SHIFTED}, got {self.shift.demand:g}")

    def between(self, rng: np.random.Generator, low: float, high: float) -> float:
        """A draw between ``low`` and ``high``, in a range ``spread`` times as wide around their middle."""
        more = (self.spread - 1) * (high - low) / 2
        return float(rng.uniform(low - more, high + more))


USUAL = Variety()
