"""A dataset as drift needs it, a hundredth of its size: made once for a release, kept beside it.

Rows are held as places among cuts, stretch by stretch: a stretch is a machine through as many
days as recent rows span, and thinned to as many rows, so that like is held against like.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from cloud_hub.monitor.distances import code, cuts_of
from cloud_hub.monitor.seen import Seen
from kernels.conditions import ConditionTable

DAY_US = 86_400_000_000
MOST_MACHINES = 200
STRETCH_ROWS = 64
LEAST_ROWS = 8  # of a stretch under one condition, to say anything
AGES = 4  # bands of age, each with as many rows; what is older than all has another
NO_AGE = -1  # the band of rows of unknown age


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coded:
    """Thinned rows, sorted by stretch."""

    machine: NDArray[np.int32]  # [n]
    times: NDArray[np.int64]  # [n] UTC microseconds
    stretch: NDArray[np.int32]  # [n] counted from 0
    condition: NDArray[np.int16]  # [n]
    bands: NDArray[np.int8]  # [n, 2] of predicted health, of age
    places: NDArray[np.uint8]  # [n, variables]; of no meaning under an unknown condition

    def __len__(self) -> int:
        return len(self.machine)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sketch:
    variables: tuple[str, ...]
    health: tuple[int, ...]
    days: float  # of a stretch
    table: ConditionTable | None  # the operating conditions, where there are any to tell apart
    cuts: Mapping[int, NDArray[np.float32]]  # by condition: [variables, CUTS]
    ages: NDArray[np.float32]  # [AGES] where bands of age end
    rows: Coded

    @classmethod
    def of(cls, seen: Seen, *, days: float, table: ConditionTable | None = None) -> Self:
        """The sketch of the rows of a dataset; ``table`` is kept for whoever brings recent ones."""
        stretch = _stretches(seen, days)
        kept = _thinned(seen, stretch)
        known = [int(number) for number in np.unique(seen.condition[kept]) if number >= 0]
        cuts = {number: cuts_of(seen.values[kept[seen.condition[kept] == number]]) for number in known}
        known_ages = seen.age[kept][~np.isnan(seen.age[kept])]
        shares = np.arange(1, AGES + 1) / AGES
        ages = np.quantile(known_ages, shares) if len(known_ages) else np.full(AGES, -1.0)
        return cls(
            variables=seen.variables,
            health=seen.health,
            days=days,
            table=table,
            cuts=cuts,
            ages=ages.astype(np.float32),
            rows=_coded(seen, kept, stretch[kept], cuts, ages.astype(np.float32)),
        )

    def code(self, seen: Seen) -> Coded:
        """Recent rows in the terms of this sketch: each machine is one stretch."""
        if seen.variables != self.variables:
            wanted, got = len(self.variables), len(seen.variables)
            raise DatasetError(f"expected recent rows with the release's {wanted} variables, got {got}")
        kept = _thinned(seen, np.unique(seen.machine, return_inverse=True)[1])
        return _coded(seen, kept, seen.machine[kept], self.cuts, self.ages)

    def to_bytes(self) -> bytes:
        columns: dict[str, Any] = {field.name: getattr(self.rows, field.name) for field in fields(Coded)}
        columns |= {f"cuts_{number}": table for number, table in self.cuts.items()}
        table = asdict(self.table) if self.table else None
        about = {"variables": self.variables, "health": self.health, "days": self.days, "table": table}
        told = np.frombuffer(json.dumps(about).encode(), np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, about=told, ages=self.ages, **columns)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Raises ValueError or KeyError where ``payload`` is no sketch."""
        with np.load(io.BytesIO(payload), allow_pickle=False) as found:
            about: dict[str, Any] = json.loads(found["about"].tobytes().decode())
            return cls(
                variables=tuple(about["variables"]),
                health=tuple(about["health"]),
                days=about["days"],
                table=_table(about["table"]),
                cuts={int(name[5:]): found[name] for name in found.files if name.startswith("cuts_")},
                ages=found["ages"],
                rows=Coded(**{field.name: found[field.name] for field in fields(Coded)}),
            )


def _table(row: dict[str, Any] | None) -> ConditionTable | None:
    if row is None:
        return None
    lists: dict[str, Any] = {
        name: tuple(tuple(each) if isinstance(each, list) else each for each in row[name]) for name in row
    }
    return ConditionTable(**lists)


def _stretches(seen: Seen, days: float) -> NDArray[np.int64]:
    """[n] the stretch of each row, from 0; a machine's first begins with its first row."""
    _, first, place = np.unique(seen.machine, return_index=True, return_inverse=True)
    number = (seen.times - seen.times[first][place]) // round(days * DAY_US)
    pairs = np.stack([seen.machine, number], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


def _thinned(seen: Seen, stretch: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows to keep: of at most MOST_MACHINES, and of each stretch STRETCH_ROWS, evenly."""
    present = np.unique(seen.machine)
    chosen = np.isin(seen.machine, present[:: max(1, -(-len(present) // MOST_MACHINES))])
    _, first, count = np.unique(stretch, return_index=True, return_counts=True)
    place = np.arange(len(stretch)) - first[stretch]
    most = np.minimum(count, STRETCH_ROWS)[stretch]
    return np.flatnonzero(chosen & (place * most % count[stretch] < most))


def _coded(
    seen: Seen,
    kept: NDArray[np.int64],
    stretch: NDArray[np.integer],
    cuts: Mapping[int, NDArray[np.float32]],
    ages: NDArray[np.float32],
) -> Coded:
    condition = seen.condition[kept].copy()
    condition[~np.isin(condition, list(cuts))] = -1
    places = np.zeros((len(kept), len(seen.variables)), np.uint8)
    for number, table in cuts.items():
        own = condition == number
        places[own] = code(seen.values[kept[own]], table)
    age = np.where(np.isnan(seen.age[kept]), NO_AGE, np.searchsorted(ages, seen.age[kept], "left"))
    return Coded(
        machine=seen.machine[kept],
        times=seen.times[kept],
        stretch=np.asarray(stretch, np.int32),
        condition=condition,
        bands=np.stack([seen.band[kept], age], axis=1).astype(np.int8),
        places=places,
    )
