"""Whether features know more than their past: rows made again from the readings up to them, and compared.

Devices make the features, reading by reading; yet a feature set that peeks, a row
filled in afterwards or another version on a device would teach a model what it will
not know when it counts. So a sample of rows is made again, each from the readings of
its machine up to it and nothing else, and must come out as it was stored.

This needs the readings themselves among the features (``pressure.last``), and an
unbroken stretch from the machine's first reading on. Where a set stores nothing else,
because the hub derives the rest under a table of conditions, it is the derivation that
is tried: with what comes later and without, it must say the same. Windows are not kept
at the hub: what is made of them is proven with the kernels, not here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import sets
from kernels.condition_trend import of_rows
from kernels.conditions import ConditionTable
from kernels.extractor import Extractor
from models.examples import Examples, Floats
from wire.clock import readable

LAST, AGE = ".last", "age"
MACHINES, ROWS = 16, 4  # stretches that are looked at, and rows of each
CLOSE = 1e-4  # of a feature's spread on that machine, or of the readings' size: they come as float32

Derive = Callable[[Floats], Floats]
Look = Callable[[int, int, int], str]  # (first, past last, row) of a stretch: how the row differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Causality:
    """What was made again, and how the first row that differs differs."""

    rows: int
    machines: int
    leak: str  # empty: none found


def check(examples: Examples, feature_set: str, rng: np.random.Generator) -> Causality:
    """Make a sample of the rows again, chosen by ``rng``."""
    if sets.feature_set(feature_set).under_conditions:
        derive = of_rows(examples.names, examples.units, _one_condition(examples)).derive_batch
        return check_derived(examples, derive, rng)
    extractor = _extractor(examples, feature_set)
    if extractor is None:
        return Causality(rows=0, machines=0, leak="")
    return _each(examples, rng, lambda first, _last, row: _difference(examples, extractor, first, row))


def check_derived(examples: Examples, derive: Derive, rng: np.random.Generator) -> Causality:
    """Derive a sample of the rows with what comes later and without; ``derive`` takes rows of one machine."""

    def differs(first: int, last: int, row: int) -> str:
        whole = derive(examples.features[first:last])[row - first]
        past = derive(examples.features[first : row + 1])[-1]
        if np.array_equal(whole, past, equal_nan=True):
            return ""
        return f"what is derived {_where(examples, row)} changes with what comes later"

    return _each(examples, rng, differs)


def _each(examples: Examples, rng: np.random.Generator, look: Look) -> Causality:
    """Look at a few rows of a few stretches, the last of each among them."""
    stretches = _stretches(examples)
    chosen = rng.permutation(len(stretches))[:MACHINES]
    rows = 0
    for first, last in (stretches[place] for place in sorted(chosen)):
        for row in np.unique([*rng.integers(first, last, ROWS - 1), last - 1]):
            rows += 1
            if leak := look(first, last, int(row)):
                return Causality(rows=rows, machines=len(chosen), leak=leak)
    return Causality(rows=rows, machines=len(chosen), leak="")


def _one_condition(examples: Examples) -> ConditionTable:
    """A table under which every reading is in the same condition: enough to try a derivation with."""
    places = _readings(examples)
    mean, spread = examples.features[:, places].mean(axis=0), examples.features[:, places].std(axis=0)
    names = tuple(examples.names[place].removesuffix(LAST) for place in places)
    return ConditionTable(
        signals=names[:1],
        scale=(1.0,),
        centres=((float(mean[0]),),),
        radius=(float(np.abs(examples.features[:, places[0]] - mean[0]).max()),),
        scalars=names,
        mean=(tuple(mean.tolist()),),
        spread=(tuple(spread.tolist()),),
    )


def _readings(examples: Examples) -> list[int]:
    """Which features are readings as they were read."""
    return [place for place, name in enumerate(examples.names) if name.endswith(LAST)]


def _where(examples: Examples, row: int) -> str:
    machine = examples.machines[examples.machine[row]]
    return f"of {machine} at {readable(int(examples.times[row]))}"


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
    readings = _readings(examples)
    made = extractor.batch(examples.times[first : row + 1], past[:, readings].astype(np.float64))[-1]
    stored = past[-1]
    wrong = np.flatnonzero(~(np.abs(stored - made) <= _close(examples, past, readings)))
    if not len(wrong):
        return ""
    place = int(wrong[0])
    return (
        f"{examples.names[place]} {_where(examples, row)} is {stored[place]:.6g}, "
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
