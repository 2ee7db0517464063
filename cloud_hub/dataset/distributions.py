"""How the values of each feature lie: counts in bins of equal width, small enough to be kept with a dataset.

The outermost hundredths are told by number alone, so that one wild reading does not flatten all others.
"""

from typing import Any

import numpy as np

from models.examples import Examples

BINS = 24
EDGE = 0.005  # of the rows on either side lie beyond the bins
ENOUGH = 100_000  # rows, to know a distribution by


def distributions(examples: Examples) -> dict[str, dict[str, Any]]:
    """By feature: ``low`` and ``high`` edge of the bins, ``counts`` in them, beyond them, and the ``median``.

    Evenly thinned where there are more rows than a distribution needs.
    """
    step = max(1, -(-len(examples) // ENOUGH))
    rows = examples.features[::step]
    return {name: _of(rows[:, column].astype(np.float64)) for column, name in enumerate(examples.names)}


def _of(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    low, median, high = (float(each) for each in np.quantile(values, [EDGE, 0.5, 1 - EDGE]))
    counts = np.histogram(values, BINS, (low, high))[0] if high > low else np.array([len(values)])
    if high <= low:
        counts[0] -= int((values != low).sum())
    return {
        "low": _short(low),
        "high": _short(high),
        "median": _short(median),
        "counts": counts.tolist(),
        "below": int((values < low).sum()),
        "above": int((values > high).sum()),
    }


def _short(value: float) -> float:
    """Six digits: nobody reads more off a chart."""
    return float(f"{value:.6g}")
