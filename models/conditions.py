"""Operating conditions, learnt: where readings gather, and what every scalar does there.

From the machines that a model learns on and from no others, since the table is
as much a part of what was learnt as the weights are. ``count`` of a use case is
the most there may be: two conditions in which all scalars read alike are one.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from kernels.condition_trend import LAST, of_rows
from kernels.conditions import ConditionTable, assign
from models.declared.machines import Conditions
from models.errors import FitError
from models.examples import Examples
from models.remembered import remembered

ALIKE = 0.5  # spreads by which the mean of some scalar must differ between two conditions
LEAST_ROWS = 30  # in a condition, to say what is usual there
MARGIN = 2.0  # times the farthest training reading from its centre: beyond it, a condition is unknown
CONSTANT = 1e-5  # a spread below this share of the mean is rounding
STEADY = 1e-3  # of its value: the scale of a signal that never changed in training
MOST_ROWS = 20_000  # that k-means looks at, evenly over all
STARTS = 10

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def learn(examples: Examples, conditions: Conditions, *, seed: int) -> ConditionTable:
    """The table of the machines in ``examples``, whose features hold ``<scalar>.last`` of each scalar.

    Raises FitError where a signal is missing, or a condition is too rare to be known.
    """
    settings = _readings(examples, conditions.signals)
    names = [name.removesuffix(LAST) for name in examples.names if name.endswith(LAST)]
    scalars = tuple(name for name in names if name not in conditions.signals)
    values = _readings(examples, scalars)
    scale = np.maximum(settings.std(axis=0), STEADY * np.maximum(np.abs(settings.mean(axis=0)), STEADY))
    points = settings / scale
    labels = _merged(_clustered(points, conditions.count, seed), values)
    groups = [labels == label for label in np.unique(labels)]
    centres = [points[group].mean(axis=0) for group in groups]
    _check_rows(groups, [centre * scale for centre in centres], conditions.signals)
    reach = [
        float(np.linalg.norm(points[group] - centre, axis=1).max())
        for group, centre in zip(groups, centres, strict=True)
    ]
    return ConditionTable(
        signals=conditions.signals,
        scale=tuple(scale.tolist()),
        centres=tuple(tuple(centre.tolist()) for centre in centres),
        radius=tuple(max(MARGIN * distance, STEADY) for distance in reach),
        scalars=scalars,
        mean=tuple(tuple(values[group].mean(axis=0).tolist()) for group in groups),
        spread=tuple(tuple(_spread(values[group]).tolist()) for group in groups),
    )


def conditions_of(examples: Examples, table: ConditionTable) -> Labels:
    """[n] the condition each row was read in, or UNKNOWN; of rows that hold ``<signal>.last``."""
    return assign(table, _readings(examples, table.signals))


def derive(examples: Examples, table: ConditionTable) -> Examples:
    """What a model of condition-trend/1 takes, from the stored rows; those without an answer are left out.

    Needs whole machines, for a row says what its machine's past says; see ``remembered``.
    """
    under = of_rows(examples.names, examples.units, table)
    features = np.full((len(examples), under.width), np.nan, np.float32)
    for machine in np.unique(examples.machine):
        own = examples.machine == machine
        features[own] = under.derive_batch(examples.features[own])
    derived = replace(examples, names=under.names, units=under.units, features=features)
    return derived.where(~np.isnan(features[:, -1]) & remembered(examples))


def _readings(examples: Examples, signals: tuple[str, ...]) -> Floats:
    """[n, k] the last value of each of ``signals``."""
    if lacking := [name for name in signals if f"{name}{LAST}" not in examples.names]:
        raise FitError(
            f"conditions: expected a feature {lacking[0]}{LAST}, got {', '.join(examples.names)[:200]}: "
            "choose a feature set that holds it, or other signals"
        )
    places = [examples.names.index(f"{name}{LAST}") for name in signals]
    return examples.features[:, places].astype(np.float64)


def _clustered(points: Floats, count: int, seed: int) -> Labels:
    some = points[:: max(1, len(points) // MOST_ROWS)]
    if not len(some):
        raise FitError("conditions: expected readings to learn from, got none")
    count = min(count, len(np.unique(some, axis=0)))
    found = KMeans(count, n_init=STARTS, random_state=seed).fit(some)
    labels: Labels = found.predict(points).astype(np.int64)
    return labels


def _merged(labels: Labels, values: Floats) -> Labels:
    """Conditions in which the scalars ``values`` [n, k] read alike become one, the most alike first."""
    while True:
        known = np.unique(labels)
        pairs = [(first, second) for first in known for second in known if first < second]
        gaps = [_gap(values[labels == first], values[labels == second]) for first, second in pairs]
        if not gaps or min(gaps) >= ALIKE:
            return labels
        first, second = pairs[int(np.argmin(gaps))]
        labels = np.where(labels == second, first, labels)


def _gap(one: Floats, other: Floats) -> float:
    """How far apart two conditions lie in the scalar that tells them apart best, in its spreads."""
    apart = np.abs(one.mean(axis=0) - other.mean(axis=0))
    floor = CONSTANT * np.maximum(np.abs(one.mean(axis=0)), STEADY)
    spread = np.maximum(np.sqrt((one.var(axis=0) + other.var(axis=0)) / 2), floor)
    return float(np.max(apart / spread, initial=0.0))


def _spread(values: Floats) -> Floats:
    spread, mean = values.std(axis=0), np.abs(values.mean(axis=0))
    return np.where(spread > CONSTANT * np.maximum(mean, STEADY), spread, 0.0)


def _check_rows(groups: list[NDArray[np.bool_]], centres: list[Floats], signals: tuple[str, ...]) -> None:
    for group, centre in zip(groups, centres, strict=True):
        if group.sum() < LEAST_ROWS:
            where = ", ".join(f"{name} {value:.4g}" for name, value in zip(signals, centre, strict=True))
            raise FitError(
                f"the condition at {where}: expected at least {LEAST_ROWS} readings, got {int(group.sum())}: "
                "record more of it, or allow fewer conditions"
            )
