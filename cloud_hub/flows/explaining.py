"""Why a device said what it said: its own newest prediction, explained from the rows that it was made of.

The hub asks the very network that the device runs, with the inputs that the device
had; so the explanation is of that answer, and says so where the two do not agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.hub import Hub
from cloud_hub.registry.models import SQL as REGISTRY
from cloud_hub.registry.models import Registry
from cloud_hub.store.database import Row, load_queries
from cloud_hub.training.explain import Explanation, Floats, explain
from kernels.condition_trend import of_rows
from kernels.sets import of_signals
from models.graphs import Runner
from wire.manifest import Manifest, row_names
from wire.table import SignalKind, SignalTable

SQL = load_queries("cloud_hub.flows", "explaining.sql")
APART = 0.01  # of an output's range: less is the rounding of another machine
MOST_ROWS = 50_000  # of one machine: what it remembers of its life goes back no further


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    release: str
    time: datetime
    outputs: Mapping[str, Explanation]
    units: Mapping[str, str]  # by output
    apart: float  # how far the hub's answers lie from the device's at most, as a share of each output's range

    @property
    def caution(self) -> str:
        """What to know where the hub's network does not answer as the device did; else nothing."""
        if not self.apart > APART:
            return ""
        return f"the device's answer lay {self.apart:.1%} of an output's range away: rows may be missing here"

    def to_fields(self) -> dict[str, Any]:
        """Plain values; ``time`` stays a datetime."""
        return {
            "release": self.release,
            "time": self.time,
            "apart": self.apart,
            "units": dict(self.units),
            "outputs": {
                name: {"answer": each.answer, "sound": each.sound, "effects": dict(each.effects)}
                for name, each in self.outputs.items()
            },
        }


def explain_newest(hub: Hub, machine: str, named: str) -> Told:
    """Explain the newest prediction for ``machine`` by ``named``, a use case or one of its releases.

    NotFoundError where there is no prediction or none of its rows, ConflictError where its run
    kept nothing to compare it with.
    """
    like = named if "/" in named else f"{named}/%"
    said = hub.database.row(SQL["newest"], {"machine": machine, "like": like})
    if said is None:
        raise NotFoundError(f"prediction by {named} of a machine", machine)
    registry = Registry(hub.database, hub.artifacts, hub.clock)
    model = registry.get(said["release"])
    run = hub.database.row(REGISTRY["run"], {"run": model.run})
    sound = (run["metrics"] if run else {}).get("sound")
    if sound is None:
        raise ConflictError(f"{model.run} keeps no sound row to compare with: train the use case again")
    manifest = model.manifest
    row = inputs_then(hub, machine, said, manifest)
    runner = Runner(registry.onnx(model), [output.name for output in manifest.outputs])
    names = [value.name for value in manifest.inputs]
    outputs = {
        output.name: explain(partial(_one, runner, place), row, _floats(sound), names)
        for place, output in enumerate(manifest.outputs)
    }
    apart = _apart(outputs, said, manifest)
    units = {output.name: output.unit for output in manifest.outputs}
    return Told(release=said["release"], time=said["time"], outputs=outputs, units=units, apart=apart)


def inputs_then(hub: Hub, machine: str, said: Row, manifest: Manifest) -> Floats:
    """What the network was asked then: the stored row, or what its conditions make of the machine's rows."""
    asked = {"machine": machine, "feature_set": manifest.feature_set, "time": said["time"]}
    most = MOST_ROWS if manifest.conditions else 1
    rows = hub.database.rows(SQL["rows"], asked | {"most": most})
    if not rows or rows[-1]["time"] != said["time"]:
        raise NotFoundError(f"feature row of {said['time'].isoformat()} of a machine", machine)
    stored = np.array([row["values"] for row in rows], np.float32)
    if manifest.conditions is None:
        return _floats(stored[-1])
    names, units = _stored_names(hub, machine, manifest.feature_set)
    return _floats(of_rows(names, units, manifest.conditions).derive_batch(stored)[-1])


def _stored_names(hub: Hub, machine: str, feature_set: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = hub.database.row(SQL["table"], {"machine": machine})
    if found is None:
        raise NotFoundError("signal table of a machine", machine)
    table = SignalTable.from_fields(found["body"])
    extractor = of_signals(feature_set, table.signals_of(found["place"], SignalKind.SCALAR))
    return extractor.names, extractor.units


def _apart(outputs: Mapping[str, Explanation], said: Row, manifest: Manifest) -> float:
    told = dict(zip(row_names(manifest), said["values"], strict=False))
    return max(
        (
            abs(outputs[output.name].answer - told[output.name]) / max(output.high - output.low, 1e-9)
            for output in manifest.outputs
            if output.name in told
        ),
        default=float("nan"),
    )


def _one(runner: Runner, place: int, rows: Floats) -> Floats:
    return runner.run(rows)[:, place]


def _floats(values: Any) -> Floats:
    return np.asarray(values, np.float32)
