"""Whether features know more than their past: rows made again from the readings up to them, and compared.

Devices make the features, reading by reading; yet a feature set that peeks, a row
filled in afterwards or another version on a device would teach a model what it will
not know when it counts. So a sample of rows is made again, each from the readings of
its machine up to it and nothing else, and must come out as it was stored.

This needs the readings themselves among the features (``pressure.last``), an unbroken
stretch from the machine's first reading on, and something derived from them. Windows
are not kept at the hub: what is made of them is proven with the kernels, not here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import sets
from kernels.extractor import Extractor
from models.examples import Examples, Floats
from wire.clock import readable

LAST, AGE = ".last", "age"
MACHINES, ROWS = 16, 4  # stretches that are looked at, and rows of each
CLOSE = 1e-4  # of a feature's spread on that machine, or of the readings' size: they come as float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Causality:
    """What was made again, and how the first row that differs differs."""

    rows: int
    machines: int
    leak: str  # empty: none found


def check(examples: Examples, feature_set: str, rng: np.random.Generator) -> Causality:
    """Make a sample of the rows again, chosen by ``rng``."""
    extractor = _extractor(examples, feature_set)
    if extractor is None:
        return Causality(rows=0, machines=0, leak="")
    stretches = _stretches(examples)
    chosen = rng.permutation(len(stretches))[:MACHINES]
    rows = 0
    for first, last in (stretches[place] for place in sorted(chosen)):
        for row in np.unique([*rng.integers(first, last, ROWS - 1), last - 1]):
            rows += 1
            if leak := _difference(examples, extractor, first, int(row)):
                return Causality(rows=rows, machines=len(chosen), leak=leak)
    return Causality(rows=rows, machines=len(chosen), leak="")


def _extractor(examples: Examples, feature_set: str) -> Extractor | None:
    """What derives the other features from the readings, where readings are all that it takes."""
    scalars = [name.removesuffix(LAST) for name in examples.names if name.endswith(LAST)]
    if not scalars or examples.names[-1] != AGE:
        return None
    units = {name.removesuffix(LAST): unit for name, unit in zip(examples.names, examples.units, strict=True)}
    made = sets.make(feature_set, scalars=scalars, units=units)
    return made if made.names == examples.names and len(made.names) > len(scalars) + 1 else None


def _stretches(examples: Examples) -> list[tuple[int, int]]:
    """[first, past last) rows that begin with a machine's first reading and lack none since."""
    age = examples.features[:, -1]
    begins = np.ones(len(examples), np.bool_)
    begins[1:] = (examples.machine[1:] != examples.machine[:-1]) | (age[1:] != age[:-1] + 1)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(examples))
    return [(int(one), int(end)) for one, end in zip(first, last, strict=True) if age[one] == 1]


def _difference(examples: Examples, extractor: Extractor, first: int, row: int) -> str:
    """How the stored ``row`` differs from what follows from the readings since ``first``; empty: not."""
    past: Floats = examples.features[first : row + 1]
    readings = [place for place, name in enumerate(examples.names) if name.endswith(LAST)]
    made = extractor.batch(examples.times[first : row + 1], past[:, readings].astype(np.float64))[-1]
    stored = past[-1]
    wrong = np.flatnonzero(~(np.abs(stored - made) <= _close(examples, past, readings)))
    if not len(wrong):
        return ""
    place = int(wrong[0])
    return (
        f"{examples.names[place]} of {examples.machines[examples.machine[row]]} at "
        f"{readable(int(examples.times[row]))} is {stored[place]:.6g}, "
        f"from its readings up to then follows {made[place]:.6g}"
    )


def _close(examples: Examples, past: Floats, readings: list[int]) -> NDArray[np.float32]:
    """[width] how far a feature may lie off: the readings were rounded to float32 on their way."""
    sizes = np.abs(past[:, readings]).max(axis=0) * np.float32(2.0**-20)
    by_signal = {
        examples.names[place].removesuffix(LAST): size for place, size in zip(readings, sizes, strict=True)
    }
    rounding = np.array([by_signal.get(name.rpartition(".")[0], 0.0) for name in examples.names], np.float32)
    close: NDArray[np.float32] = np.maximum(rounding, CLOSE * past.std(axis=0))
    return close
