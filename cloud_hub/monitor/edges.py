"""Where the conditions of a dataset end: beyond hardly any of its rows lie.

The radius of a learnt condition says up to where a model may answer, and is generous. To
notice that machines are run in another way it is drawn tight: one row in two hundred of
the dataset lies outside.
"""

from dataclasses import replace

import numpy as np

from kernels.condition_trend import LAST
from kernels.conditions import ConditionTable, assign
from models.examples import Examples

INSIDE = 0.995


def tightened(table: ConditionTable, examples: Examples) -> ConditionTable:
    """``table`` with the radius of each condition around the rows of a dataset, as they are stored."""
    places = [examples.names.index(f"{signal}{LAST}") for signal in table.signals]
    settings = examples.features[:, places].astype(np.float64)
    nearest = assign(replace(table, radius=(float(np.finfo(np.float64).max),) * len(table.radius)), settings)
    centres = np.array(table.centres)
    apart = np.linalg.norm(settings / np.array(table.scale) - centres[nearest], axis=1)
    radius = [
        float(np.quantile(apart[nearest == number], INSIDE))
        if (nearest == number).any()
        else table.radius[number]
        for number in range(len(centres))
    ]
    return replace(table, radius=tuple(radius))
