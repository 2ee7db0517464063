"""Which signals drove a prediction: what the answer would be without each of them. Pure.

A signal is taken away by giving its features the values that sound machines show.
Both ends are asked: what the answer loses when one signal of this row is made sound,
and what a sound row's answer gains from this signal alone; the mean of the two is
exact for a sum of effects and splits an interaction of two signals evenly between them,
also where an output is clipped at one end (two-sided occlusion; the first and the last
term of the Shapley value, Lundberg & Lee, "A unified approach to interpreting model
predictions", NeurIPS 2017, eq. 8).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.examples import SOUND, UNKNOWN, Examples

FAINT = 1e-3  # of the strongest effect: below is rounding

Floats = NDArray[np.float32]
Answers = Callable[[Floats], Floats]  # [n, width] -> [n], one output of a network


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``effects`` are in the unit of the output, strongest first; negative ones made it smaller."""

    answer: float
    sound: float  # what the same network says of the sound row
    effects: Mapping[str, float]  # by signal

    @property
    def strongest(self) -> float:
        """The size of the strongest effect; 1 where there is none, so that others can be held against it."""
        return max(map(abs, self.effects.values()), default=0.0) or 1.0

    @property
    def telling(self) -> dict[str, float]:
        """The effects that are more than rounding beside the strongest."""
        return {name: each for name, each in self.effects.items() if abs(each) >= FAINT * self.strongest}

    @property
    def idle(self) -> list[str]:
        """Signals without such an effect."""
        return [name for name in self.effects if name not in self.telling]


def sound_row(examples: Examples) -> Floats:
    """float32 [width]: the median of the rows that are known to be sound.

    Without any, of the earlier half of each life: a machine is mostly well at first.
    """
    rows = examples.health == SOUND
    if not rows.any():
        lives = examples.lives
        middle = np.array([np.median(examples.age[lives == life]) for life in range(int(lives.max()) + 1)])
        rows = (examples.age <= middle[lives]) & (examples.health == UNKNOWN)
    if not rows.any():
        rows = np.ones(len(examples), bool)
    median: Floats = np.median(examples.features[rows], axis=0).astype(np.float32)
    return median


def signal_of(feature: str) -> str:
    """ "vibration_x.env_bpfo" belongs to "vibration_x", "age" to itself."""
    return feature.partition(".")[0]


def explain(answers: Answers, row: Floats, sound: Floats, names: Sequence[str]) -> Explanation:
    """Explain the answer to ``row`` [width] against ``sound`` [width]; ``names`` are of the features."""
    signals = tuple(dict.fromkeys(map(signal_of, names)))
    owner = np.array([signals.index(signal_of(name)) for name in names])
    own = owner == np.arange(len(signals))[:, None]  # [signals, width]
    asked = np.concatenate([row[None], sound[None], np.where(own, sound, row), np.where(own, row, sound)])
    told = answers(np.ascontiguousarray(asked, np.float32)).astype(np.float64)
    answer, base, without, alone = told[0], told[1], *np.split(told[2:], 2)
    effects = ((answer - without) + (alone - base)) / 2
    order = np.argsort(-np.abs(effects), kind="stable")
    return Explanation(
        answer=float(answer),
        sound=float(base),
        effects={signals[index]: float(effects[index]) for index in order.tolist()},
    )
