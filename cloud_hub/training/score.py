"""How far predictions of remaining life are off, in both conventions of the literature. Pure.

*clip*: truth and prediction are capped, since a healthy machine says nothing
about how far away its failure is. *raw*: the truth as it was. Papers rarely say
which; a perfect model with a cap of 125 still has a raw RMSE of 3.7 on FD001.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    rmse: float
    mae: float
    nasa: float


def score(predicted: ArrayLike, truth: ArrayLike, *, cap: float | None) -> Score:
    """Score [n] predictions; with a ``cap`` both sides are clipped to it, without the truth stays raw."""
    error = _capped(predicted, cap) - _capped(truth, cap)
    return Score(rmse=rmse(error), mae=float(np.abs(error).mean()), nasa=nasa_score(error))


def rmse(error: ArrayLike) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(error, np.float64)))))


def nasa_score(error: ArrayLike) -> float:
    """Sum over machines of exp(-e/13) - 1 for early and exp(e/10) - 1 for late predictions (e >= 0).

    Saxena, Goebel, Simon & Eklund, "Damage propagation modeling for aircraft engine
    run-to-failure simulation", PHM 2008, eq. 8; e in cycles.
    """
    error = np.asarray(error, np.float64)
    return float(np.expm1(np.where(error < 0, -error / 13, error / 10)).sum())


def _capped(values: ArrayLike, cap: float | None) -> NDArray[np.float64]:
    values = np.asarray(values, np.float64)
    return values if cap is None else np.minimum(values, cap)
