"""Rows that are stored, scored again by a release, and held against what devices said of them then.

By the release's own network in this process, as the service would answer (the same code,
and a test holds them equal): through the service the numbers would only be written down and
read back, which takes hundreds of times what the network takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cloud_hub.errors import DatasetError
from cloud_hub.serving.scorer import Scorer
from wire.manifest import Manifest, row_names
from wire.precision import Precision, shares

Matrix = npt.NDArray[np.float32]
Said = Mapping[tuple[str, int], list[float]]  # by machine and UTC microseconds: a stored prediction row


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """What is scored: row i is of ``machines[i]`` at ``times[i]``, where that is known."""

    names: tuple[str, ...]
    units: tuple[str, ...] | None  # None: nobody said
    features: Matrix  # [n, width]
    machines: tuple[str, ...] = ()
    times: npt.NDArray[np.int64] | None = None  # [n] UTC microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """With what devices said: rows that both scored, and of those the ones further apart than allowed."""

    compared: int
    differ: int
    worst: float  # the farthest, as a share of its output's range
    precision: Precision  # by whose tolerance

    def to_fields(self) -> dict[str, Any]:
        return {
            "compared": self.compared,
            "differ": self.differ,
            "worst": self.worst,
            "precision": str(self.precision),
        }


def rescore(scorer: Scorer, rows: Rows) -> Matrix:
    """[n, k] as ``row_names``; DatasetError where the rows are not this release's inputs, or not finite."""
    _check_columns(rows, scorer.manifest)
    if not np.isfinite(rows.features).all():
        row, column = map(int, np.argwhere(~np.isfinite(rows.features))[0])
        raise DatasetError(f"expected finite features, got {rows.names[column]} missing in row {row + 1}")
    return scorer.score(rows.features)


def compare(manifest: Manifest, rows: Rows, values: Matrix, said: Said, precision: Precision) -> Comparison:
    """``values`` [n, k] of ``rows`` against ``said``, by the tolerance of what the devices run."""
    times = [] if rows.times is None else rows.times.tolist()
    told = [said.get(key) for key in zip(rows.machines, times, strict=True)]
    names = row_names(manifest)
    both = [place for place, each in enumerate(told) if each is not None and len(each) == len(names)]
    if not both:
        return Comparison(compared=0, differ=0, worst=0.0, precision=precision)
    outputs = [names.index(output.name) for output in manifest.outputs]  # bounds follow from them
    expected = values[both][:, outputs]
    found = np.array([told[place] for place in both], np.float32)[:, outputs]
    apart, off = np.abs(found - expected), shares(manifest, expected, found, precision) > 1
    ranges = np.array([max(output.high - output.low, 1e-9) for output in manifest.outputs])
    return Comparison(
        compared=len(both),
        differ=int(off.any(axis=1).sum()),
        worst=float(np.nanmax(apart / ranges, initial=0.0)),
        precision=precision,
    )


def _check_columns(rows: Rows, manifest: Manifest) -> None:
    wanted = tuple(each.name for each in manifest.inputs)
    if rows.names != wanted:
        pairs = zip(wanted, rows.names, strict=False)
        other = next((pair for pair in pairs if pair[0] != pair[1]), (f"{len(wanted)}", f"{len(rows.names)}"))
        raise DatasetError(f"{manifest.release} takes other features: expected {other[0]}, got {other[1]}")
    units = tuple(each.unit for each in manifest.inputs)
    if rows.units is not None and rows.units != units:
        name, unit, other_unit = next(
            (name, unit, got)
            for name, unit, got in zip(wanted, units, rows.units, strict=True)
            if unit != got
        )
        raise DatasetError(f"{manifest.release}: expected {name} in {unit!r}, got {other_unit!r}")
