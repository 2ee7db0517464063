"""How sure a model may claim to be: a conformal interval from machines that it had not learnt on."""

import numpy as np
from numpy.typing import NDArray

from kernels.interval import Interval, calibrate
from models.examples import Examples
from models.use_case import UseCase


def interval_of(examples: Examples, predicted: NDArray[np.float32], use_case: UseCase) -> Interval:
    """The interval from [n] predictions of rows whose remaining life is known.

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
