"""What a series of readings looks like to somebody who looks for broken sensors: runs, spikes, holes.

Pure functions over columns whose rows are sorted by machine, then time; ``edges`` [m + 1]
are the first rows of the m machines and the end of the last.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.examples import Floats

Counts = NDArray[np.int64]
Times = NDArray[np.int64]

SPIKE = 10.0  # times the usual step, there and back again
HOLE = 5.0  # times the usual step of time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holes:
    """Times between two rows of a machine that are far longer than is usual there."""

    machine: Counts  # [h] its place
    row: Counts  # [h] the last row before
    after_us: Times  # [h] its time
    before_us: Times  # [h] that of the row after
    rows: NDArray[np.float64]  # [h] that would have fitted in


def runs(values: Floats, edges: Counts) -> tuple[Counts, float]:
    """[m] the longest stretch of equal values in ``values`` [n], in rows, and how long all are on average."""
    longest = np.zeros(len(edges) - 1, np.int64)
    begins = np.append(True, values[1:] != values[:-1])
    begins[edges[:-1][edges[:-1] < len(values)]] = True
    first = np.flatnonzero(begins)
    lengths = np.diff(np.append(first, len(values)))
    np.maximum.at(longest, np.searchsorted(edges, first, side="right") - 1, lengths)
    return longest, float(lengths.mean())


def spikes(values: Floats, edges: Counts) -> Counts:
    """[m] readings that leave the usual range of their machine, up or down, and are back with the next one.

    A machine that is run in another way now and then does so for more than a twentieth of its readings,
    or not for one reading alone.
    """
    found = np.zeros(len(edges) - 1, np.int64)
    for place, (first, last) in enumerate(pairwise(edges)):
        own = values[first:last].astype(np.float64)
        if len(own) < 3:
            continue
        low, high = np.quantile(own, [0.05, 0.95])
        out = (own < low - (high - low)) | (own > high + (high - low))
        step = np.abs(np.diff(own))
        alone = np.minimum(step[:-1], step[1:]) > SPIKE * _usual(step)
        found[place] = np.count_nonzero(out[1:-1] & alone & ~out[:-2] & ~out[2:])
    return found


def _usual(steps: NDArray[np.float64]) -> float:
    """How far a reading usually is from the one before; where most are equal, that of the others."""
    return float(np.median(steps) or np.median(steps[steps > 0])) if steps.any() else 0.0


def holes(times: Times, edges: Counts) -> Holes:
    """Where rows are missing in ``times`` [n]."""
    machine, row, size = [], [], []
    for place, (first, last) in enumerate(pairwise(edges)):
        steps = np.diff(times[first:last])
        usual = float(np.median(steps)) if len(steps) else 0.0
        wide = np.flatnonzero(steps > HOLE * usual) if usual > 0 else np.zeros(0, np.int64)
        machine.append(np.full(len(wide), place, np.int64))
        row.append(first + wide)
        size.append(steps[wide] / usual - 1 if len(wide) else np.zeros(0))
    before = np.concatenate(row).astype(np.int64)
    return Holes(
        machine=np.concatenate(machine),
        row=before,
        after_us=times[before],
        before_us=times[before + 1],
        rows=np.concatenate(size),
    )
