"""What can be said of faults and anomalies without a model: the bar for those tasks.

A class: the one that most lives showed. An anomaly: always alarming, or a limit on
the one feature that told faulty rows from sound ones best, on the machines learnt from.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cloud_hub.training.scorecard import classes_of, measure_anomaly
from models.examples import FAULTY, SOUND, UNKNOWN, Examples
from models.use_case import UseCase

FREQUENT = "the most frequent class"
ALWAYS = "always alarming"
ONE_FEATURE = "a limit on one feature"

Floats = NDArray[np.float32]


def classes(learning: Examples, judging: Examples) -> Mapping[str, Floats]:
    """By name of the guess, probabilities [n, k] of the classes for the rows of ``judging``."""
    told = classes_of(learning)
    pairs = np.unique(np.stack([learning.lives, told], axis=1)[told != UNKNOWN], axis=0)
    counts = np.bincount(pairs[:, 1], minlength=len(learning.faults) + 1)
    guess = np.zeros((len(judging), len(learning.faults) + 1), np.float32)
    guess[:, int(counts.argmax())] = 1.0
    return {FREQUENT: guess[:, :-1]}


def anomalies(learning: Examples, judging: Examples, use_case: UseCase) -> Mapping[str, Floats]:
    """By name of the guess, anomalies [n] for the rows of ``judging``; from 1 on they alarm."""
    found = {ALWAYS: np.full(len(judging), 2.0, np.float32)}
    sound = learning.where(learning.health == SOUND)
    known = learning.where(learning.health != UNKNOWN)
    if not len(sound) or not (known.health == FAULTY).any():
        return found
    mean, spread = sound.features.mean(axis=0), np.maximum(sound.features.std(axis=0), 1e-9)
    edge = np.quantile(np.abs(sound.features - mean) / spread, use_case.anomaly.edge_share, axis=0)
    far = np.abs(known.features - mean) / spread / np.maximum(edge, 1e-9)
    errors = [measure_anomaly(known, far[:, column]).figure for column in range(known.width)]
    best = int(np.argmin(errors))
    own = np.abs(judging.features[:, best] - mean[best]) / spread[best] / max(edge[best], 1e-9)
    return found | {f"{ONE_FEATURE} ({learning.names[best]})": own.astype(np.float32)}
