"""What a release says of a machine's newest row as it was, and as it would be if inputs had been others.

The scoring service is asked about both in one question, so that what moves is what was changed and
nothing else. Nothing is stored.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from cloud_hub.console.here import hub
from cloud_hub.errors import ConflictError
from cloud_hub.flows.explaining import inputs_then
from cloud_hub.registry.models import Registry
from cloud_hub.serving.client import Service
from wire.manifest import BOUNDS, INTERVAL_OF, Manifest
from wire.scoring import Question

Row = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Before:
    """A machine's newest row that its use case predicted from, as the network takes it."""

    machine: str
    time: datetime
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One output as it was and as it would be; ``bounds``: the two intervals, of the output that has them."""

    name: str
    unit: str  # UCUM
    before: float
    after: float
    bounds: tuple[tuple[float, float], ...]


def manifest_of(use_case: str, version: int) -> Manifest:
    """Of what is served: ``ConflictError`` for what is not released."""
    model = Registry(hub().database, hub().artifacts, hub().clock).get(f"{use_case}/{version}")
    if model.state != "released":
        raise ConflictError(f"{model.release} is {model.state}: only what is released is served")
    return model.manifest


def before_of(manifest: Manifest, machine: str, time: datetime) -> Before:
    row = inputs_then(hub(), machine, {"time": time}, manifest)
    return Before(machine=machine, time=time, row=np.asarray(row, np.float32))


def ask(manifest: Manifest, before: Row, after: Row) -> list[Moved]:
    """``ConflictError`` where the service refuses, ``UnreachableError`` where none answers."""
    rows = np.stack([before, after])
    answer = Service.of(hub().config.state_dir).ask(Question.of(manifest, rows))
    columns = dict(zip(answer.names, answer.rows.T.tolist(), strict=True))
    units = dict(zip(answer.names, answer.units, strict=True))
    bounds = tuple(zip(*(columns[name] for name in BOUNDS), strict=True)) if BOUNDS[0] in columns else ()
    return [
        Moved(
            name=name, unit=units[name], before=was, after=now, bounds=bounds if name == INTERVAL_OF else ()
        )
        for name, (was, now) in columns.items()
        if name not in BOUNDS
    ]
