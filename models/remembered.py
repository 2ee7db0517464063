"""Which stored rows say what their device knew: under conditions a model takes what a memory held.

The device keeps readings and derives from them, and the hub derives the same from its rows.
Where what the memory held is not among them the hub would make something else of the row
than the device did, and whoever learnt it would learn what no device ever asks.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.condition_memory import FIRST, LONGEST
from models.examples import Examples

MOST_LACKING = LONGEST // 2  # of the last readings that a memory holds; fewer hardly change what it says

Mask = NDArray[np.bool_]


def remembered(examples: Examples) -> Mask:
    """[n] rows of which the store holds what their device's memory held; of stored rows, in order of time.

    Not so where a memory begins later than among its first readings (some may have lacked a scalar):
    after an older image was restored, or a span that begins in mid-life; nor after a long hole.
    """
    place, age = np.arange(len(examples)), examples.features[:, -1].astype(np.int64)
    begins = np.ones(len(examples), np.bool_)
    begins[1:] = (examples.machine[1:] != examples.machine[:-1]) | (age[1:] <= age[:-1])
    began = np.maximum.accumulate(np.where(begins, place, 0))
    oldest = np.maximum(began, place - (LONGEST - 1))
    lacking = (age - age[oldest]) - (place - oldest)
    known: Mask = (age[began] <= FIRST) & (lacking <= MOST_LACKING)
    return known
