"""Two distances between distributions that do not depend on how many rows there were.

PSI is the symmetrised Kullback-Leibler divergence over ten groups (Siddiqi, Credit Risk
Scorecards, 2006); KS the largest difference between the distribution functions. Neither is a
test: a p-value gets small with rows alone. Values come as places among the cuts of a reference
(``code``), so that one that equals a cut, as a constant signal does, has a place of its own.
"""

import numpy as np
from numpy.typing import NDArray

CUTS = 39  # of a variable, at equal shares of the reference
PLACES = 2 * CUTS + 1  # between the cuts, and on them
GROUPS = 10
LEAST_SHARE = 0.005  # of a group: fixed, so that an empty one means the same whatever the number of rows

Shares = NDArray[np.float64]  # [..., PLACES], each summing to 1
_GROUP = np.arange(PLACES) * GROUPS // PLACES


def cuts_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """[n, variables] -> [variables, CUTS]: values of the rows themselves."""
    shares = np.arange(1, CUTS + 1) / (CUTS + 1)
    return np.ascontiguousarray(np.quantile(values, shares, axis=0, method="nearest").T.astype(np.float32))


def code(values: NDArray[np.float32], cuts: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[n, variables] -> the place of each value: even between cuts, odd on one."""
    places = np.empty(values.shape, np.uint8)
    for variable, line in enumerate(cuts):
        column = values[:, variable]
        places[:, variable] = np.searchsorted(line, column, "left") + np.searchsorted(line, column, "right")
    return places


def psi(found: Shares, expected: Shares) -> NDArray[np.float64]:
    """[..., PLACES] twice -> [...]: 0 where they are the same; 0.25 is called a shift."""
    first, second = (np.maximum(_grouped(shares), LEAST_SHARE) for shares in (found, expected))
    return np.asarray(((first - second) * np.log(first / second)).sum(axis=-1))


def ks(found: Shares, expected: Shares) -> NDArray[np.float64]:
    """[..., PLACES] twice -> [...]: from 0 to 1."""
    return np.asarray(np.abs(np.cumsum(found - expected, axis=-1)).max(axis=-1))


def _grouped(shares: Shares) -> Shares:
    starts = np.searchsorted(_GROUP, np.arange(GROUPS))
    return np.asarray(np.add.reduceat(shares, starts, axis=-1))
