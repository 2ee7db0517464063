"""How soon motor-health notices that its machines are run in another way, and what training again is worth.

Everything here is simulated (``andon sim record``). Protocol, fixed before measuring; what is shifted and
by how much was chosen on fleets of other seeds:

- A fleet runs for 40 days; a release is trained on it and judged as in any training. Then the fleet runs on
  for a month as before, and once more for a month in which the plant asks ``DEMAND`` times as much of every
  machine. They wear by the cube of it, about twice as fast: what a release has learnt of a machine that
  looks like this one, that it has a week left, is wrong from then on.
- Every day of either month the last days are held against the dataset, by the use case's own rule.
- Once the drift has lasted as long as the rule says, a candidate is trained on the rows from then and from
  the days that gave the drift away (on all there is, where those are too few), and judged against the
  release on machines that neither has learnt from.
- Both are asked about two other fleets, with other seeds, that are run in the new way from the start.

Database and rollout are left out here: that the loop closes by itself is for the tests.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cloud_hub.dataset.demands import demand
from cloud_hub.errors import DatasetError
from cloud_hub.monitor.drift import compare
from cloud_hub.monitor.edges import tightened
from cloud_hub.monitor.seen import Seen, see, used_inputs
from cloud_hub.monitor.sketch import DAY_US, Sketch
from cloud_hub.monitor.triggers import new_world
from cloud_hub.store.labels import NewLabel
from cloud_hub.training.bench_recording import examples, label_lines, record
from cloud_hub.training.pairing import pair
from cloud_hub.training.recording import MachineRows
from cloud_hub.training.scorecard import Scorecard, measure
from cloud_hub.training.slices import table_of
from cloud_hub.training.split import kinds_of, split
from cloud_hub.training.train import Candidate, Champion, train
from models import conditions, graphs
from models.declared.retraining import Drift
from models.examples import Examples
from models.use_case import UseCase, find
from wire.clock import to_us

USE_CASE = "motor-health"
BEGIN = datetime.fromisoformat("2026-01-01T00:00:00Z")
DAYS_BEFORE, DAYS_AFTER, DAYS_UNSEEN, EVERY_S = 40, 30, 30, 7200
DEMAND = 1.35
CONFIDENCE = 0.9
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    name: str
    machines: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    fleet: Fleet = Fleet(name="usual", machines=40, seed=8117)
    unseen: tuple[Fleet, ...] = (
        Fleet(name="unseen", machines=40, seed=8229),
        Fleet(name="unheard", machines=40, seed=8346),
    )


QUICK = Scale(
    fleet=Fleet(name="usual", machines=12, seed=8117), unseen=(Fleet(name="unseen", machines=6, seed=8229),)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    rows: Sequence[MachineRows]
    labels: Sequence[NewLabel]
    use_case: UseCase

    def until(self, day: float, *, since: datetime = BEGIN) -> Examples:
        """What is known at the end of that day, without the rows before ``since``."""
        end = to_us(BEGIN + timedelta(days=day))
        rows = [
            replace(own, times=own.times[own.times <= end], features=own.features[own.times <= end])
            for own in self.rows
        ]
        known = examples(rows, [label for label in self.labels if to_us(label.time) <= end], self.use_case)
        return known.where(known.times >= to_us(since))


class Release:
    """A network with the sketch of the dataset that it was trained on."""

    def __init__(self, candidate: Candidate, dataset: Examples, use_case: UseCase, rule: Drift) -> None:
        self.use_case, self.rule = use_case, rule
        self.runner = graphs.Runner(candidate.onnx, use_case.outputs)
        table, why = table_of(dataset, use_case)
        assert table is not None, why
        self.table = tightened(table, dataset)
        self.used = used_inputs(dataset.features, self.runner)
        self.sketch = Sketch.of(self._seen(dataset), days=rule.days, table=self.table)

    def calls(self, run: Recording, day: int) -> bool:
        """Whether the last days of ``run``, at the end of ``day``, call for another training."""
        known, end = run.until(day), to_us(BEGIN + timedelta(days=day))
        last = known.where(known.times > end - round(self.rule.days * DAY_US))
        rng = np.random.default_rng(self.use_case.budget.seed)
        return bool(
            compare(self.sketch, self.sketch.code(self._seen(last)), self.rule, rng).reasons(self.rule)
        )

    def _seen(self, rows: Examples) -> Seen:
        found = conditions.conditions_of(rows, self.table).astype(np.int16)
        return see(rows, found, self.runner, self.used, self.use_case)


def figures(quick: bool, _data: Path | None = None) -> Iterator[Row]:
    """The rows of the bench; recorded data is not needed, as all of it is simulated."""
    scale, use_case = QUICK if quick else Scale(), find(USE_CASE)
    for row in _figures(scale, use_case):
        yield row | {"figure": f"{USE_CASE}{', quick' if quick else ''}: {row['figure']}"}


def _figures(scale: Scale, use_case: UseCase) -> Iterator[Row]:
    rule = use_case.retrain.drift
    assert rule is not None, "the use case watches drift"
    usual, changed = (_record(scale.fleet, use_case, from_day=day) for day in (None, DAYS_BEFORE))
    dataset = usual.until(DAYS_BEFORE)
    before = train(dataset, use_case)
    release = Release(before, dataset, use_case, rule)
    month = range(DAYS_BEFORE + 1, DAYS_BEFORE + DAYS_AFTER + 1)
    started = sum(release.calls(usual, day) for day in month)
    yield _row("unshifted month: days that call for a training", started, "d", "<= 0")
    noticed = next((day for day in month if release.calls(changed, day)), None)
    took = DAYS_AFTER + 1 if noticed is None else noticed - DAYS_BEFORE
    yield _row("shift: days until it is noticed", took, "d", f"<= {rule.days + 3:g}")
    if noticed is None:
        return
    trained = _learnt_from(changed, noticed, rule)
    champion = Champion(release="before", onnx=before.onnx, learning=frozenset(before.metrics["learning"]))
    after = train(trained, use_case, champion=champion)
    yield from _worth(before, after, scale, use_case)
    admitted = f"shift: whether the gate admits it ({after.verdict.reason})"
    yield _row(admitted, int(after.verdict.passed), "1", ">= 1")


def _learnt_from(changed: Recording, noticed: int, rule: Drift) -> Examples:
    """What the factory would train on: the new world where it has taught enough, else all there is."""
    day, use_case = noticed + rule.lasting_days, changed.use_case
    since = new_world(rule, BEGIN + timedelta(days=noticed))
    alone = changed.until(day, since=since or BEGIN)
    try:
        demand(alone, use_case)
        split(kinds_of(alone, use_case), use_case)
    except DatasetError:
        return changed.until(day)
    return alone


def _worth(before: Candidate, after: Candidate, scale: Scale, use_case: UseCase) -> Iterator[Row]:
    """What either says of lives that failed on machines that nobody has seen, in the clip convention."""
    runs = [_record(fleet, use_case, from_day=0, days=DAYS_UNSEEN) for fleet in scale.unseen]
    rows = [row for run in runs for row in run.rows]
    labels = [label for run in runs for label in run.labels]
    asked = examples(rows, labels, use_case)
    old, new = (_card(each, asked.where(asked.failed), use_case) for each in (before, after))
    machines = f"shift: error on {len(new.machines)} machines that nobody has seen, trained again"
    row = _row(machines, new.figure, use_case.life.unit, "<= 1.0")
    yield row | {"reference": "the release before", "reference_value": old.figure}
    low, high = np.quantile(pair(new, old, 1.0).ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    band = f"shift: that ratio, upper end of the {CONFIDENCE:.0%} interval over machines (lower {low:.3f})"
    yield _row(band, float(high), "1", "<= 1.0")


def _card(candidate: Candidate, asked: Examples, use_case: UseCase) -> Scorecard:
    told = graphs.Runner(candidate.onnx, use_case.outputs).run(asked.features)
    return measure(asked, told[:, 0], cap=use_case.life.cap, unit=use_case.life.unit)


def _record(
    fleet: Fleet, use_case: UseCase, *, from_day: int | None, days: int = DAYS_BEFORE + DAYS_AFTER
) -> Recording:
    """``fleet`` for ``days``, its two machines a device run in the new way from ``from_day`` on."""
    devices = ",".join(f"{fleet.name}-{number}" for number in range(fleet.machines // 2))
    asked = ["machine", "--devices", devices, "--seed", f"{fleet.seed}", "--days", f"{days}"]
    asked += ["--interval", f"{EVERY_S}", "--erosion", "felt", "--begin", BEGIN.isoformat()]
    if from_day is not None:
        asked += ["--shift", f"{(BEGIN + timedelta(days=from_day)).isoformat()}={DEMAND}"]
    with TemporaryDirectory() as folder:
        truth = Path(folder) / "truth"
        rows = record(asked, truth)
        return Recording(rows=rows, labels=label_lines(truth), use_case=use_case)


def _row(figure: str, value: float, unit: str, bar: str) -> Row:
    return {"figure": figure, "value": value, "unit": unit, "bar": bar}
