"""What changed from one dataset to the next: rows, labels, the shape of the features, and who made them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.examples import Examples, Floats

BINS = 10
ENOUGH = 100_000  # rows, to know a distribution by
MOVED = 0.1  # of the population stability index: below it a distribution counts as the same
LABELS = ("life", "remaining", "health")  # and the fault, by its name
Places = NDArray[np.int64]
MADE_BY = ("feature_set", "feature_set_version", "code", "schema")  # of a manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """From the first dataset to the second."""

    rows: dict[str, dict[str, int]]  # by machine: added, removed; without those that are the same
    labels: dict[str, int]  # rows that both have and that labels say something else of, by machine
    features_added: tuple[str, ...]
    features_removed: tuple[str, ...]
    moved: dict[str, float]  # population stability index by feature, from ``MOVED`` on, the most first
    made_by: dict[str, tuple[Any, Any]]  # what of ``MADE_BY`` is not the same


def compare(
    first: Examples, second: Examples, first_manifest: dict[str, Any], second_manifest: dict[str, Any]
) -> Difference:
    """Compare contents and manifests of two datasets; pure."""
    rows, labels = {}, {}
    for name in sorted({*first.machines, *second.machines}):
        one, other = _of(first, name), _of(second, name)
        common, here, there = np.intersect1d(
            first.times[one], second.times[other], assume_unique=True, return_indices=True
        )
        added, removed = len(other) - len(common), len(one) - len(common)
        if added or removed:
            rows[name] = {"added": added, "removed": removed}
        if changed := _changed(first, one[here], second, other[there]):
            labels[name] = changed
    shared = [name for name in first.names if name in second.names]
    moved = {name: psi(_column(first, name), _column(second, name)) for name in shared}
    made = {name: (first_manifest.get(name), second_manifest.get(name)) for name in MADE_BY}
    return Difference(
        rows=rows,
        labels=labels,
        features_added=tuple(name for name in second.names if name not in first.names),
        features_removed=tuple(name for name in first.names if name not in second.names),
        moved={
            name: round(moved[name], 3)
            for name in sorted(moved, key=lambda name: -moved[name])
            if moved[name] >= MOVED
        },
        made_by={name: pair for name, pair in made.items() if pair[0] != pair[1]},
    )


def psi(first: Floats, second: Floats) -> float:
    """Population stability index of ``second`` against ``first``, whose values fill the bins evenly.

    Half a row is counted into every bin, so that an empty one is not infinitely surprising, and what chance
    alone would make of so few rows is taken off.
    """
    edges = np.unique(np.quantile(first, np.linspace(0, 1, BINS + 1)[1:-1]))
    one, other = _shares(first, edges), _shares(second, edges)
    chance = len(edges) * (1 / len(first) + 1 / len(second))
    return max(float(((other - one) * np.log(other / one)).sum()) - chance, 0.0)


def _shares(values: Floats, edges: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1) + 0.5
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _of(examples: Examples, name: str) -> Places:
    """Where the rows of the machine called ``name`` are."""
    if name not in examples.machines:
        return np.arange(0)
    number = examples.machines.index(name)
    return np.arange(*np.searchsorted(examples.machine, [number, number + 1]))


def _changed(first: Examples, here: Places, second: Examples, there: Places) -> int:
    """Rows of which the two say something else; faults by name, for their numbers may have changed."""
    changed = _names(first, here) != _names(second, there)
    for name in LABELS:
        one, other = getattr(first, name)[here], getattr(second, name)[there]
        changed |= (one != other) & ~(np.isnan(one) & np.isnan(other))
    return int(changed.sum())


def _names(examples: Examples, rows: Places) -> NDArray[np.str_]:
    return np.array([*examples.faults, ""])[examples.fault[rows]]


def _column(examples: Examples, name: str) -> Floats:
    """Evenly thinned where there are more rows than a distribution needs."""
    step = -(-len(examples) // ENOUGH)
    return examples.features[::step, examples.names.index(name)]
