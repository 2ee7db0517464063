"""Examples: what a dataset gives a network, in columns; one row is one feature row of one machine."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

UNKNOWN, SOUND, FAULTY = -1, 0, 1  # of ``health``


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examples:
    """Rows sorted by machine, then time; all columns have the same length n.

    ``age`` and ``remaining`` are in the use case's unit of life; ``remaining`` is
    NaN where the life has not ended in a failure (censored). ``health`` and ``fault``
    are what labels say of the row, -1 where they say nothing.
    """

    machines: tuple[str, ...]  # names, sorted
    sites: tuple[str, ...]  # of each machine
    faults: tuple[str, ...]  # classes of the use case
    names: tuple[str, ...]  # of the features
    units: tuple[str, ...]  # UCUM
    machine: NDArray[np.int32]  # [n] index into ``machines``
    times: NDArray[np.int64]  # [n] UTC microseconds
    life: NDArray[np.int32]  # [n] number of the life within its machine, from 1
    age: Floats  # [n]
    remaining: Floats  # [n]
    health: NDArray[np.int8]  # [n] SOUND, FAULTY or UNKNOWN
    fault: NDArray[np.int16]  # [n] index into ``faults``
    features: Floats  # [n, width]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def failed(self) -> Mask:
        """[n] rows of lives that ended in a failure: those with a known remaining life."""
        return ~np.isnan(self.remaining)

    @property
    def lives(self) -> NDArray[np.int64]:
        """[n] a number for each life, unlike those of all other machines."""
        pairs = np.stack([self.machine, self.life], axis=1)
        return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)

    def failed_machines(self) -> tuple[str, ...]:
        """Machines with at least one life that ended in a failure."""
        return tuple(self.machines[index] for index in np.unique(self.machine[self.failed]))

    def of_machines(self, names: frozenset[str]) -> Mask:
        """[n] rows of the machines called ``names``."""
        chosen = np.array([name in names for name in self.machines], bool)
        return chosen[self.machine] if len(self) else np.zeros(0, bool)

    def where(self, mask: Mask) -> "Examples":
        """The rows under ``mask``; machine indices stay as they are."""
        columns = ("machine", "times", "life", "age", "remaining", "health", "fault", "features")
        return replace(self, **{column: getattr(self, column)[mask] for column in columns})
