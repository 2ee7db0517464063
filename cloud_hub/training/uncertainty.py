"""How sure a model may claim to be, calibrated on rows it had not learnt from, and what that came to.

Those who are asked about a row had not learnt from its machine, but were stopped by it (see
``product``), and so err a little less there than on a new one; the ensemble that ships errs
less than each of them. The two need not cancel: that the interval holds is proved on held-out machines.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from kernels import interval as intervals
from kernels.interval import Interval, calibrate
from models.examples import Examples
from models.use_case import UseCase

LUCK = 0.05  # two-sided: of a band
BINS = 10  # of probability


def interval_of(examples: Examples, predicted: NDArray[np.float32], use_case: UseCase) -> Interval:
    """The interval from [n] predictions of rows whose remaining life is known.

    ``predicted`` must come from networks that had not learnt from the rows of the row's machine.
    By machine where there are enough of them for the promised coverage. A small fleet
    calibrates by life: a repaired machine counts as another, which it nearly is.
    """
    wanted, cap = use_case.interval, use_case.life.cap
    machines = examples.machine
    enough = 2 / (1 - wanted.coverage) - 1
    groups = machines if len(np.unique(machines)) >= enough else examples.lives
    return calibrate(
        np.clip(np.nan_to_num(predicted, nan=0.0), 0.0, cap),
        np.minimum(examples.remaining, cap),
        groups,
        coverage=wanted.coverage,
        edges=wanted.edges,
    )


def binomial_band(share: float, count: int) -> tuple[float, float]:
    """Between which shares ``count`` independent trials stay 19 times in 20, where ``share`` is true."""
    low, high = binom.ppf([LUCK / 2, 1 - LUCK / 2], count, share)
    return float(low / count), float(high / count)


def coverage_by_bin(
    examples: Examples, predicted: NDArray[np.float32], table: intervals.Table, *, coverage: float, cap: float
) -> list[dict[str, Any]]:
    """For each bin of predicted life what the interval held; machines weigh the same, and each is one trial.

    ``predicted`` [n] of rows whose remaining life is known; bins that no machine reached are left out.
    """
    truth = np.minimum(examples.remaining.astype(np.float64), cap)
    low, high = intervals.apply(table, predicted)
    inside = (low <= truth) & (truth <= high)
    place = intervals.bins(table.edges, np.asarray(predicted, np.float64))
    rows = []
    for number in np.unique(place).tolist():
        own = place == number
        machines = examples.machine[own]
        shares = [float(inside[own][machines == machine].mean()) for machine in np.unique(machines)]
        least, most = binomial_band(coverage, len(shares))
        row = {"from": float(table.edges[number]), "machines": len(shares), "covered": float(np.mean(shares))}
        rows.append(
            row
            | {
                "low": least,
                "high": most,
                "width": float((np.minimum(high, cap) - np.minimum(low, cap))[own].mean()),
            }
        )
    return rows


def calibration_error(likely: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Expected calibration error of [n, k] probabilities of classes against [n] class numbers.

    The mean gap between what the likeliest class claims and how often it is right, over ten equal steps
    of the claim weighed by their rows (Naeini, Cooper & Hauskrecht, AAAI 2015). A class number k means
    that of none, which has what the k leave of 1.
    """
    whole = np.concatenate([likely, 1 - likely.sum(axis=1, keepdims=True)], axis=1)
    claimed, right = whole.max(axis=1), whole.argmax(axis=1) == truth
    step = np.minimum((claimed * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(step, weights=claimed - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(truth))
