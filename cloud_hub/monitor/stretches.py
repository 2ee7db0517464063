"""The stretches among rows: whose they are, how worn the machine was, under which conditions it ran."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cloud_hub.monitor.sketch import LEAST_ROWS, Coded

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretches:
    number: Numbers  # [s]
    machine: Numbers  # [s]
    first: Numbers  # [s] time of the first row, and ...
    last: Numbers  # [s] ... of the last, UTC microseconds
    band: Numbers  # [s] of predicted health, most of the time
    shares: Mapping[int, NDArray[np.float64]]  # by condition: [s] of the rows

    @classmethod
    def of(cls, rows: Coded) -> Self:
        """Those with enough rows to say anything."""
        number, first, count = np.unique(rows.stretch, return_index=True, return_counts=True)
        enough = count >= LEAST_ROWS
        number, first, count = number[enough], first[enough], count[enough]
        spans = [slice(start, start + length) for start, length in zip(first, count, strict=True)]
        return cls(
            number=number.astype(np.int64),
            machine=rows.machine[first].astype(np.int64),
            first=rows.times[first],
            last=rows.times[first + count - 1],
            band=np.array([np.bincount(rows.bands[span, 0]).argmax() for span in spans], np.int64),
            shares={
                int(condition): np.array([(rows.condition[span] == condition).mean() for span in spans])
                for condition in np.unique(rows.condition)
            },
        )

    def __len__(self) -> int:
        return len(self.number)

    def share(self, condition: int, places: Numbers | None = None) -> float:
        """The mean share of rows under ``condition``; each stretch counts the same."""
        shares = self.shares.get(condition, np.zeros(0))
        chosen = shares if places is None else shares[places] if len(shares) else shares
        return float(chosen.mean()) if len(chosen) else 0.0

    def draw_moment(self, like: "Stretches", rng: np.random.Generator) -> Numbers:
        """Places of the stretches that one moment falls into, as many as ``draw`` gives at most."""
        chosen = rng.integers(len(self))
        moment = (self.first[chosen] + self.last[chosen]) // 2
        there = rng.permutation(np.flatnonzero((self.first <= moment) & (moment <= self.last)))
        _, one_each = np.unique(self.machine[there], return_index=True)
        return np.asarray(there[np.sort(one_each)][: min(len(like), self.half)], np.int64)

    @property
    def half(self) -> int:
        """Half of the machines: the others are what drawn ones are held against."""
        return max(1, len(np.unique(self.machine)) // 2)

    def draw(self, like: "Stretches", rng: np.random.Generator) -> Numbers:
        """Places of stretches as worn as those of ``like``, each of another machine, half of them at most."""
        wanted = Counter(rng.permutation(like.band)[: self.half].tolist())
        order = rng.permutation(len(self)).tolist()
        machine, band = self.machine.tolist(), self.band.tolist()
        found: dict[int, int] = {}  # by machine
        for place in order:
            if wanted[band[place]] > 0 and machine[place] not in found:
                wanted[band[place]] -= 1
                found[machine[place]] = place
        enough = len(found) + wanted.total()
        for place in order if len(found) < enough else ():  # none is as worn: then any
            if len(found) < enough and machine[place] not in found:
                found[machine[place]] = place
        return np.array(list(found.values()), np.int64)
