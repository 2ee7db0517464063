"""Stored rows put in order: each moment of a machine once, rows with a hole left out, all of it counted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_hub.dataset.copied import Rows
from models.examples import Floats

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tidy:
    """Rows sorted by machine, then time; the counts are by machine."""

    machine: NDArray[np.int32]  # [n] place among the ids given
    times: NDArray[np.int64]  # [n] UTC microseconds
    features: Floats  # [n, width], finite
    repeated: Counts  # told again with the same values, as after a restored device: the first was taken
    denied: Counts  # told again with other values: the first was taken
    holes: Counts  # rows with a feature that could not be made then: left out
    disorder: Counts  # rows that a device told in another order than it measured them


def tidy(rows: Rows, ids: Sequence[int]) -> Tidy:
    """``rows`` of the machines with these store ids, in the order of ``ids``."""
    by_id = np.argsort(ids)
    number = by_id[np.searchsorted(np.asarray(ids)[by_id], rows.machine)].astype(np.int32)
    order = np.lexsort((rows.sequence, rows.epoch, rows.device, rows.times, number))
    in_order = np.array_equal(order, np.arange(len(order)))
    features = rows.features if in_order else rows.features[order]
    number, times = number[order], rows.times[order]
    device, epoch, sequence = rows.device[order], rows.epoch[order], rows.sequence[order]
    same_machine = number[1:] == number[:-1]
    again = np.append(False, same_machine & (times[1:] == times[:-1]))
    same_stream = same_machine & (device[1:] == device[:-1]) & (epoch[1:] == epoch[:-1])
    disorder = np.append(False, same_stream & (sequence[1:] < sequence[:-1]))
    denied = _denied(features, again)
    hole = ~np.isfinite(features).all(axis=1)
    kept = ~again & ~hole
    whole = bool(kept.all())
    return Tidy(
        machine=number[kept],
        times=times[kept],
        features=features if whole else features[kept],
        repeated=_count(number, again & ~denied, ids),
        denied=_count(number, denied, ids),
        holes=_count(number, hole & ~again, ids),
        disorder=_count(number, disorder & ~again, ids),
    )


def _denied(features: Floats, again: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[n] rows that say something else than the row before, which is of the same moment."""
    places = np.flatnonzero(again)
    one, other = features[places], features[places - 1]
    differs = ~((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    denied = np.zeros(len(features), np.bool_)
    denied[places[differs]] = True
    return denied


def _count(number: NDArray[np.int32], rows: NDArray[np.bool_], ids: Sequence[int]) -> Counts:
    return np.bincount(number[rows], minlength=len(ids)).astype(np.int64)
