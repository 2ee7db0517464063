"""How soon motor-health notices that its machines are run in another way, and what training again is worth.

Everything here is simulated (``andon sim record``). Protocol, fixed before measuring:

- A fleet runs for 40 days; the use case's own networks learn from it. Then it runs on for a month as
  before, and once more for a month in which the plant asks ``DEMAND`` times as much of every machine.
- Every day of either month the last days are held against the dataset, by the use case's own rule.
- Once the drift has lasted as long as the rule says, networks learn from all there is then.
- Both are asked about other machines, with other seeds, that are run in the new way from the start.

Database, gate and rollout are left out here: that the loop closes by itself is for the tests.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cloud_hub.monitor.drift import Drifted, compare
from cloud_hub.monitor.edges import tightened
from cloud_hub.monitor.seen import Seen, see, used_inputs
from cloud_hub.monitor.sketch import DAY_US, Sketch
from cloud_hub.store.labels import NewLabel
from cloud_hub.training.bench_recording import examples, label_lines, record
from cloud_hub.training.product import make
from cloud_hub.training.recording import MachineRows
from cloud_hub.training.slices import table_of
from models import conditions, graphs
from models.declared.retraining import Drift
from models.examples import Examples
from models.use_case import UseCase, find
from wire.clock import to_us

USE_CASE = "motor-health"
BEGIN = datetime.fromisoformat("2026-01-01T00:00:00Z")
DAYS_BEFORE, DAYS_AFTER, EVERY_S = 40, 30, 7200
DEMAND = 0.35
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Machines, each with the seed of its fleet; all fleets begin on the same day."""

    fleet: tuple[int, int] = (24, 5101)
    unseen: tuple[int, int] = (24, 5202)


QUICK = Scale(fleet=(12, 5101), unseen=(8, 5202))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    rows: Sequence[MachineRows]
    labels: Sequence[NewLabel]
    use_case: UseCase

    def until(self, day: float) -> Examples:
        """What is known at the end of that day."""
        end = to_us(BEGIN + timedelta(days=day))
        rows = [
            replace(own, times=own.times[own.times <= end], features=own.features[own.times <= end])
            for own in self.rows
        ]
        return examples(rows, [label for label in self.labels if to_us(label.time) <= end], self.use_case)


class Release:
    """Networks with the sketch of what they learnt from."""

    def __init__(self, learnt: Examples, use_case: UseCase, rule: Drift) -> None:
        self.use_case, self.rule = use_case, rule
        self.runner = graphs.Runner(make(learnt, use_case, seed=SEED).onnx, use_case.outputs)
        table, why = table_of(learnt, use_case)
        assert table is not None, why
        self.table = tightened(table, learnt)
        self.used = used_inputs(learnt.features, self.runner)
        self.sketch = Sketch.of(self._seen(learnt), days=rule.days, table=self.table)

    def look(self, known: Examples, day: float) -> Drifted:
        """The last days of ``known`` held against the dataset."""
        since = to_us(BEGIN + timedelta(days=day)) - round(self.rule.days * DAY_US)
        recent = self.sketch.code(self._seen(known.where(known.times > since)))
        return compare(self.sketch, recent, self.rule, np.random.default_rng(SEED))

    def error(self, asked: Examples) -> float:
        """RMSE of remaining life, in its unit, on lives that failed; more than the cap is the cap."""
        rows = asked.where(asked.failed)
        told = self.runner.run(rows.features)[:, 0]
        return float(np.sqrt(np.mean((told - np.minimum(rows.remaining, self.use_case.life.cap)) ** 2)))

    def _seen(self, rows: Examples) -> Seen:
        found = conditions.conditions_of(rows, self.table).astype(np.int16)
        return see(rows, found, self.runner, self.used, self.use_case)


def figures(quick: bool, data: Path | None = None) -> Iterator[dict[str, Any]]:
    """The rows of the bench; ``data`` is not used, as all of it is simulated."""
    scale, use_case = QUICK if quick else Scale(), find(USE_CASE)
    rule = use_case.retrain.drift
    assert rule is not None, "the use case watches drift"
    usual = _record("usual", *scale.fleet, use_case)
    changed = _record("usual", *scale.fleet, use_case, from_day=DAYS_BEFORE)
    old = Release(usual.until(DAYS_BEFORE), use_case, rule)
    days = range(DAYS_BEFORE + 1, DAYS_BEFORE + DAYS_AFTER + 1)
    started = [day for day in days if old.look(usual.until(day), day).reasons(rule)]
    yield _row("unshifted month: days that call for a training", len(started), "d", "<= 0", quick=quick)
    noticed = next((day for day in days if old.look(changed.until(day), day).reasons(rule)), None)
    if noticed is None:
        yield _row(
            "shift: days until it is noticed", DAYS_AFTER + 1, "d", f"<= {rule.days + 3:g}", quick=quick
        )
        return
    after = noticed - DAYS_BEFORE
    yield _row("shift: days until it is noticed", after, "d", f"<= {rule.days + 3:g}", quick=quick)
    new = Release(changed.until(noticed + rule.lasting_days), use_case, rule)
    unseen = _record("unseen", *scale.unseen, use_case, from_day=0).until(DAYS_BEFORE)
    row = _row(
        "shift: error on machines nobody has seen, trained again",
        new.error(unseen),
        use_case.life.unit,
        "<= 1.0",
        quick=quick,
    )
    yield row | {"reference": "the release before", "reference_value": old.error(unseen)}


def _record(
    name: str, machines: int, seed: int, use_case: UseCase, *, from_day: int | None = None
) -> Recording:
    devices = ",".join(f"{name}-{number}" for number in range(machines // 2))
    days = DAYS_BEFORE + DAYS_AFTER
    asked = [
        "machine",
        "--devices",
        devices,
        "--seed",
        str(seed),
        "--days",
        str(days),
        "--interval",
        str(EVERY_S),
    ]
    asked += ["--erosion", "felt", "--begin", BEGIN.isoformat()]
    if from_day is not None:
        asked += ["--shift", f"{(BEGIN + timedelta(days=from_day)).isoformat()}={DEMAND}"]
    with TemporaryDirectory() as folder:
        truth = Path(folder) / "truth"
        rows = record(asked, truth)
        return Recording(rows=rows, labels=label_lines(truth), use_case=use_case)


def _row(figure: str, value: float, unit: str, bar: str, *, quick: bool) -> dict[str, Any]:
    scale = ", quick" if quick else ""
    return {"figure": f"{USE_CASE}{scale}: {figure}", "value": value, "unit": unit, "bar": bar}
