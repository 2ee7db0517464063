"""A scorecard: what one set of answers was worth, machine by machine, for each kind of task.

Machines are what repeats, rows of one machine are not: so every machine weighs
the same, and two scorecards over the same machines can be compared pair by pair.
Whatever the task, a machine has one loss, and lower is better.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cloud_hub.registry import wording
from kernels import interval as intervals
from models.examples import FAULTY, SOUND, UNKNOWN, Examples, Mask

SLACK = 1e-3  # by which a sound answer may pass its range, as a share of it
LEAST_RATE = 0.005  # rates that differ by less than half a percent point are the same

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The figure that a card is headed by, made of the losses of its machines."""

    name: str
    unit: str  # UCUM
    squared: bool = False  # losses are squares, and the figure is the root of their mean
    least: float = 0.0  # differences of the figure up to this are none

    def told(self, figure: float) -> str:
        """With its unit, for people."""
        unit = "" if self.unit == "1" else f" {self.unit.strip('{}')}"
        return f"{wording.figure(figure)}{unit}"

    def figure(self, losses: ArrayLike) -> NDArray[np.float64]:
        """Of losses [..., machines], the figure [...]."""
        mean = np.asarray(np.asarray(losses, np.float64).mean(axis=-1))
        return np.asarray(np.sqrt(mean)) if self.squared else mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of the same rows: a site, an operating condition."""

    name: str
    machines: tuple[str, ...]
    loss: tuple[float, ...]  # by machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    measure: Measure
    machines: tuple[str, ...]
    loss: tuple[float, ...]  # by machine
    rows: int
    unsound: float = 0.0  # share of answers that are no number or out of range
    covered: tuple[float, ...] | None = None  # by machine, share of truths inside the interval
    width: float | None = None  # of the interval, on average
    slices: tuple[Slice, ...] = ()
    more: Mapping[str, float] = field(default_factory=dict)  # further figures, to be shown

    @property
    def figure(self) -> float:
        return float(self.measure.figure(np.array(self.loss)))

    @property
    def coverage(self) -> float | None:
        return None if self.covered is None else float(np.mean(self.covered))

    def only(self, machines: Iterable[str]) -> Self:
        """The same card over some of its machines; what is no figure of one machine stays that of all."""
        wanted = frozenset(machines)
        kept = [number for number, name in enumerate(self.machines) if name in wanted]
        return replace(
            self,
            machines=tuple(self.machines[number] for number in kept),
            loss=tuple(self.loss[number] for number in kept),
            covered=self.covered and tuple(self.covered[number] for number in kept),
        )

    def slice(self, name: str) -> Slice | None:
        return next((each for each in self.slices if each.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Misses:
    """What is wrong with [n] answers; within a machine every ``stratum`` weighs the same."""

    examples: Examples
    error: NDArray[np.float64]  # [n] loss of each row
    stratum: NDArray[np.int64]  # [n]
    sound: Mask  # [n] is the answer one at all?

    def card(self, measure: Measure, cuts: Mapping[str, Mask], **more: Any) -> Scorecard:
        """``cuts`` are the parts to show apart, by name, as masks [n] of rows."""
        everything = self._losses(np.ones(len(self.error), bool))
        parts = {name: self._losses(mask) for name, mask in cuts.items() if mask.any()}
        return Scorecard(
            measure=measure,
            machines=tuple(everything),
            loss=tuple(everything.values()),
            rows=len(self.error),
            unsound=float((~self.sound).mean()),
            slices=tuple(
                Slice(name=name, machines=tuple(losses), loss=tuple(losses.values()))
                for name, losses in parts.items()
            ),
            **more,
        )

    def _losses(self, mask: Mask) -> dict[str, float]:
        """By machine the mean over its strata of their mean errors."""
        machine, stratum, error = self.examples.machine[mask], self.stratum[mask], self.error[mask]
        cells, place = np.unique(np.stack([machine, stratum], axis=1), axis=0, return_inverse=True)
        means = np.bincount(place.reshape(-1), weights=error) / np.bincount(place.reshape(-1))
        return {
            self.examples.machines[number]: float(means[cells[:, 0] == number].mean())
            for number in np.unique(cells[:, 0])
        }


def measure(
    examples: Examples,
    predicted: Floats,
    *,
    cap: float,
    unit: str,
    interval: intervals.Table | None = None,
    cuts: Mapping[str, Mask] | None = None,
) -> Scorecard:
    """Score [n] predictions of rows whose remaining life is known, in the clip convention.

    An unsound answer (not a number, below 0 or above the cap) counts as wrong by the whole cap.
    """
    predicted = predicted.astype(np.float64)
    sound = np.isfinite(predicted) & (predicted >= -SLACK * cap) & (predicted <= cap + SLACK * cap)
    truth = np.minimum(examples.remaining.astype(np.float64), cap)
    error = np.where(sound, np.where(sound, predicted, 0.0) - truth, cap)
    none = np.zeros(len(examples), np.int64)
    far = Misses(examples=examples, error=np.abs(error), stratum=none, sound=sound)
    more: dict[str, Any] = {"more": {"mae": far.card(Measure(name="MAE", unit=unit), {}).figure}}
    if interval is not None:
        low, high = intervals.apply(interval, np.where(sound, predicted, 0.0))
        inside = sound & (low <= truth) & (truth <= high)
        held = Misses(examples=examples, error=inside.astype(np.float64), stratum=none, sound=sound)
        more["covered"] = held.card(Measure(name="coverage", unit="1"), {}).loss
        more["width"] = float((np.minimum(high, cap) - np.minimum(low, cap)).mean())
    squares = Misses(examples=examples, error=np.square(error), stratum=none, sound=sound)
    return squares.card(Measure(name="RMSE", unit=unit, squared=True), cuts or {}, **more)


def measure_faults(
    examples: Examples, likely: Floats, *, cuts: Mapping[str, Mask] | None = None
) -> Scorecard:
    """Score [n, k] probabilities of ``examples.faults`` on rows whose class is known.

    What the classes leave of 1 is that of sound. Within a machine every class weighs the same.
    """
    truth = classes_of(examples)
    whole = np.concatenate([likely, 1 - likely.sum(axis=1, keepdims=True)], axis=1).astype(np.float64)
    within = np.isfinite(whole) & (whole >= -SLACK) & (whole <= 1 + SLACK)
    sound: Mask = np.asarray(within.all(axis=1))
    right = sound & (np.where(sound[:, None], whole, 0.0).argmax(axis=1) == truth)
    misses = Misses(examples=examples, error=(~right).astype(np.float64), stratum=truth, sound=sound)
    recalls = [float(right[truth == number].mean()) for number in np.unique(truth)]
    return misses.card(
        Measure(name="error rate", unit="1", least=LEAST_RATE),
        cuts or {},
        more={"accuracy": float(right.mean()), "macro_recall": float(np.mean(recalls))},
    )


def measure_anomaly(
    examples: Examples, anomaly: Floats, *, edge: float = 1.0, cuts: Mapping[str, Mask] | None = None
) -> Scorecard:
    """Score [n] anomalies of rows whose health is known: at ``edge`` and above a machine is called faulty.

    A machine's loss is the mean of its false-alarm rate and its missed-alarm rate; where it was only sound,
    or only faulty, the one there is.
    """
    anomaly = anomaly.astype(np.float64)
    sound = np.asarray(np.isfinite(anomaly) & (anomaly >= 0))
    faulty = examples.health == FAULTY
    wrong = np.asarray(~sound | ((anomaly >= edge) != faulty))
    misses = Misses(
        examples=examples, error=wrong.astype(np.float64), stratum=faulty.astype(np.int64), sound=sound
    )
    rates = {"missed_alarms": wrong[faulty], "false_alarms": wrong[~faulty]}
    return misses.card(
        Measure(name="alarm error rate", unit="1", least=LEAST_RATE),
        cuts or {},
        more={name: float(rows.mean()) for name, rows in rates.items() if len(rows)},
    )


def classes_of(examples: Examples) -> NDArray[np.int64]:
    """[n] index into ``examples.faults``, one past the last for sound; UNKNOWN where labels do not say."""
    faults = np.where(examples.health == FAULTY, examples.fault, UNKNOWN)
    return np.where(examples.health == SOUND, len(examples.faults), faults).astype(np.int64)
