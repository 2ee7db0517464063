"""The feature set condition-trend/1: how each scalar moves over a life, apart from how the machine is run.

What the hub stores is the reading itself, and the memory holds readings too. What
a model takes is derived from them under the table of operating conditions that
the model was trained with: a new release reads the same memory with its own
table at once, without a warm-up, and the hub derives the same numbers from the
stored rows with the same compiled code. So the memory keeps float32, as the store does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.condition_memory import FEATURES, ROWS, Lens, describe, take, walk
from kernels.conditions import Table, map_of
from kernels.errors import KernelInputError
from kernels.extractor import Row, State, read_scalars, replay, tag_of

NAME = "condition-trend/1"
LAST = ".last"
AGE = "age"
UNKNOWN_SHARE = "unknown"

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ConditionTrendExtractor:
    """Per scalar its last known value, then the age in readings (the first has age 1).

    Windows are ignored. A model takes not these rows, but what ``under`` derives from the memory.
    """

    scalars: tuple[str, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    tag: bytes

    @property
    def width(self) -> int:
        return len(self.names)

    def initial(self) -> State:
        memory = np.zeros(2 + ROWS * len(self.scalars))
        memory[2 : 2 + len(self.scalars)] = np.nan  # nothing is held yet
        return State(tag=self.tag, memory=memory)

    def restore(self, payload: bytes) -> State:
        return State.from_bytes(payload, tag=self.tag, size=2 + ROWS * len(self.scalars))

    def update(
        self, state: State, time_us: int, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> Row | None:
        reading = read_scalars(scalars, self.scalars).astype(np.float32).astype(np.float64)
        counts, memory = _views(state)
        return np.append(memory[0], counts[0]).astype(np.float32) if take(counts, memory, reading) else None

    def batch(
        self, times: ArrayLike, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> NDArray[np.float32]:
        return replay(self, times, scalars, windows)

    def under(self, table: Table) -> "ConditionTrend":
        """What models trained with ``table`` take; KernelInputError where this machine lacks its signals."""
        if lacking := [name for name in (*table.signals, *table.scalars) if name not in self.scalars]:
            raise KernelInputError(
                "conditions", f"a table of {', '.join(lacking)}", "signals of this machine"
            )
        names = [f"{scalar}.{feature}" for scalar in table.scalars for feature in FEATURES]
        kinds = ["1/{reading}" if name.endswith(".slope30") else "1" for name in names]
        lens = Lens(
            columns=self._places(table.scalars),
            mean=np.array(table.mean, np.float64).reshape(len(table.centres), len(table.scalars)),
            spread=np.array(table.spread, np.float64).reshape(len(table.centres), len(table.scalars)),
            chosen=self._places(table.signals),
            where=map_of(table),
        )
        names, kinds = [*names, AGE, UNKNOWN_SHARE], [*kinds, "{reading}", "1"]
        return ConditionTrend(extractor=self, names=tuple(names), units=tuple(kinds), lens=lens)

    def _places(self, names: Sequence[str]) -> NDArray[np.int64]:
        return np.array([self.scalars.index(name) for name in names], np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class ConditionTrend:
    """The inputs of a model: each scalar as distance from its condition's mean, in spreads of the condition.

    Per scalar the means of the last 5, 10, 30 and 60 readings, spread and slope of 30 (per reading), and
    the mean of 10 less that of the machine's first 30; then the age in readings, and the share of the last
    60 in no known condition. Such readings are skipped in everything else; where they are more than half
    of the last 10 there is no row.
    """

    extractor: ConditionTrendExtractor
    names: tuple[str, ...]
    units: tuple[str, ...]
    lens: Lens

    @property
    def width(self) -> int:
        return len(self.names)

    def derive(self, state: State) -> Row | None:
        """float32 [width] from what the extractor remembers; None where the condition is not known."""
        out = np.empty(self.width)
        return out.astype(np.float32) if describe(*_views(state), self.lens, out) else None

    def derive_batch(self, rows: ArrayLike) -> NDArray[np.float32]:
        """``derive`` after each of one machine's stored ``rows`` [n, k + 1]: [n, width], NaN where None.

        The memory starts anew where the age does not rise, as on a device that was replaced.
        """
        rows = np.array(rows, np.float32, ndmin=2).astype(np.float64)
        out = np.empty((len(rows), self.width))
        walk(*_views(self.extractor.initial()), rows, self.lens, out)
        return out.astype(np.float32)


def make_condition_trend(*, scalars: Sequence[str], units: Mapping[str, str]) -> ConditionTrendExtractor:
    if not scalars:
        raise KernelInputError(NAME, "no scalars", "at least one scalar signal")
    names = (*(f"{scalar}{LAST}" for scalar in scalars), AGE)
    kinds = (*(units.get(scalar, "1") for scalar in scalars), "{reading}")
    return ConditionTrendExtractor(
        scalars=tuple(scalars), names=names, units=kinds, tag=tag_of(NAME, names, kinds)
    )


def of_rows(names: Sequence[str], units: Sequence[str], table: Table) -> ConditionTrend:
    """What models trained with ``table`` take of stored rows of this set, called ``names``.

    Raises KernelInputError where they are rows of another set, or lack signals of the table.
    """
    scalars = [name.removesuffix(LAST) for name in names[:-1]]
    made = make_condition_trend(scalars=scalars, units=dict(zip(scalars, units, strict=False)))
    if made.names != tuple(names):
        raise KernelInputError("features", ", ".join(names)[:200], "<scalar>.last of each scalar, then age")
    return made.under(table)


def _views(state: State) -> tuple[Floats, Floats]:
    return state.memory[:2], state.memory[2:].reshape(ROWS, -1)
