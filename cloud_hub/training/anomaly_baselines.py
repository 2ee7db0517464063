"""What an anomaly detector has to stand beside: detectors of the textbook.

Each takes readings (or features) from when all was sound, float64 [m, signals], and
those to judge, [n, signals], and gives a score [n] whose limit is 1: it was set on
the sound ones alone. Settings are those that the authors of SKAB publish.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import IsolationForest

from cloud_hub.errors import DatasetError

EXPLAINED = 0.85  # of the variance, by the principal components
CONFIDENCE = 0.999  # of both limits
CONTAMINATION = 0.0005  # of the sound readings, that may lie beyond the limit of the forest
TREES = 100

Floats = NDArray[np.float64]


def always_alarm(sound: Floats, judged: Floats) -> Floats:
    """It misses nothing, and is of no use."""
    return np.full(len(judged), np.inf)


def principal_components(sound: Floats, judged: Floats) -> Floats:
    """The larger of Hotelling's T2 and Q (squared prediction error), each as a share of its limit.

    Limits: T2 by the F distribution, Q by Jackson & Mudholkar (Technometrics 21, 1979).
    DatasetError where the readings leave nothing to Q.
    """
    mean, spread = sound.mean(axis=0), sound.std(axis=0)
    varying = spread > 0
    normal = (sound - mean)[:, varying] / spread[varying]
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(normal.T)))
    variances, axes = variances[::-1], axes[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(variances), EXPLAINED * variances.sum())) + 1
    if kept >= len(variances):
        raise DatasetError(
            f"expected components beyond the {kept} that explain {EXPLAINED:.0%} of the variance, got none: "
            "more signals are needed that do not move as one"
        )
    places = ((judged - mean)[:, varying] / spread[varying]) @ axes
    inside = (places[:, :kept] ** 2 / variances[:kept]).sum(axis=1)
    beside = (places[:, kept:] ** 2).sum(axis=1)
    larger: Floats = np.maximum(inside / _t2_limit(kept, len(sound)), beside / _q_limit(variances[kept:]))
    return larger


def isolation_forest(sound: Floats, judged: Floats) -> Floats:
    """How easily a reading is cut off from the others, 1 where the sound readings end."""
    forest = IsolationForest(n_estimators=TREES, contamination=CONTAMINATION, random_state=0, n_jobs=1).fit(
        sound
    )
    scores: Floats = forest.score_samples(judged) / forest.offset_
    return scores


def one_signal(sound: Floats, judged: Floats, share: float) -> Floats:
    """The size of one signal or feature, [m] and [n], as a share of what ``share`` of the sound lie below."""
    sizes: Floats = np.abs(judged) / np.quantile(np.abs(sound), share)
    return sizes


def _t2_limit(kept: int, rows: int) -> float:
    factor = kept * (rows - 1) * (rows + 1) / (rows * (rows - kept))
    return float(factor * stats.f.ppf(CONFIDENCE, kept, rows - kept))


def _q_limit(left: Floats) -> float:
    first, second, third = (float((left**power).sum()) for power in (1, 2, 3))
    shape = 1 - 2 * first * third / (3 * second**2)
    normal = stats.norm.ppf(CONFIDENCE)
    inner = 1 + normal * shape * np.sqrt(2 * second) / first + second * shape * (shape - 1) / first**2
    return float(first * inner ** (1 / shape))
