"""Readings in; samples, features, predictions and alarms out, as columns of the next batches.

What a reading says wrongly is left out, counted and told as a gap; its good
neighbours are kept. Nothing here waits, and nothing here touches the disk.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import isfinite

import structlog

from edge_agent.captures import Captures
from edge_agent.columns import Columns, all_finite
from edge_agent.gaps import GapNotes
from edge_agent.machine_line import MachineLine, Plan
from edge_agent.model_inputs import Row
from edge_agent.phases import Phases
from edge_agent.predictions import Predictor
from edge_agent.releases import Releases
from kernels.errors import KernelInputError
from wire.feed import Reading
from wire.table import SignalTable

log = structlog.get_logger()

DEVICE = -1  # in a gap: the whole device
UNKNOWN_CONDITION = "unknown-condition"  # in a gap: the machine runs as no release has learnt it


@dataclass(slots=True, kw_only=True)
class Counters:
    """Since this device began; stored with the readings they count, so exact across restarts."""

    readings: int = 0
    samples: int = 0  # scalar values kept
    left_out: int = 0  # scalar values that were not finite or of no known signal
    windows: int = 0
    bad_windows: int = 0
    features: int = 0
    predictions: int = 0
    predictions_by_old: int = 0  # sent by the old release because the new one failed
    predictions_failed: int = 0
    alarms_opened: int = 0
    captures: int = 0  # windows kept raw
    gaps: int = 0

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    def restore(self, payload: bytes) -> None:
        for name, value in json.loads(payload).items():
            if name in self.__dataclass_fields__:
                setattr(self, name, int(value))


class Pipeline:
    """For one signal table; not thread-safe."""

    def __init__(
        self,
        table: SignalTable,
        *,
        columns: Columns,
        gaps: GapNotes,
        counters: Counters,
        releases: Releases,
        phases: Phases,
        captures: Captures,
        saved: Mapping[str, bytes],
    ) -> None:
        watched = phases.watch(table)
        self.lines = tuple(MachineLine(table, index, saved, watched) for index in range(len(table.machines)))
        self.last_error = next((line.refusal for line in self.lines if line.refusal), "")
        _say_assumed([line.machine.name for line in self.lines if line.bearing_assumed])
        self._columns = columns
        self._gaps = gaps
        self._counters = counters
        self._predictor = Predictor(releases)
        self._phases = phases
        self._captures = captures
        self._touched: set[int] = set()

    def use(self, releases: Releases) -> None:
        self._predictor = Predictor(releases)

    def take(self, reading: Reading) -> None:
        self._counters.readings += 1
        if not 0 <= reading.machine < len(self.lines):
            self._leave_out(DEVICE, "unknown-machine", reading.time_us, len(reading.values))
            return
        line = self.lines[reading.machine]
        plan = line.plan(reading.signals)
        values: Sequence[float] = reading.values
        if len(plan.known) != len(reading.signals):
            unknown = len(reading.signals) - len(plan.known)
            self._leave_out(line.index, "unknown-signal", reading.time_us, unknown)
            values = [values[place] for place in plan.known]
        for signal, place in plan.watched:
            self._phases.hear(signal, reading.time_us, values[place])
        self._keep(line, plan, values, reading.time_us)
        before = self._counters.alarms_opened
        self._make_features(line, plan, values, reading)
        self._capture(line, reading, alarmed=self._counters.alarms_opened > before)

    def memory(self) -> dict[str, bytes]:
        """What the machines seen since the last commit remember."""
        return {
            name: value
            for index in sorted(self._touched)
            for name, value in self.lines[index].memory().items()
        }

    def committed(self) -> None:
        self._touched.clear()

    def _capture(self, line: MachineLine, reading: Reading, *, alarmed: bool) -> None:
        if line.waveforms:
            found = self._captures.take(line, reading, alarmed=alarmed)
            self._columns.add_captures(line.index, found)
            self._counters.captures += len(found)

    def _keep(self, line: MachineLine, plan: Plan, values: Sequence[float], time_us: int) -> None:
        signals = plan.signals
        if not all_finite(values):
            kept = [place for place, value in enumerate(values) if isfinite(value)]
            self._leave_out(line.index, "not-finite", time_us, len(values) - len(kept))
            signals = tuple(signals[place] for place in kept)
            values = [values[place] for place in kept]
        if signals:
            self._columns.add_samples(signals, time_us, values)
            self._counters.samples += len(signals)

    def _make_features(
        self, line: MachineLine, plan: Plan, values: Sequence[float], reading: Reading
    ) -> None:
        self._counters.windows += len(reading.windows)
        if line.extractor is None:
            return
        self._touched.add(line.index)
        if not all_finite(values):
            values = [value if isfinite(value) else float("nan") for value in values]
        row = self._features(line, plan, values, reading)
        if row is not None:
            self._columns.add_features(line.index, line.machine.feature_set, reading.time_us, row)
            self._counters.features += 1
            self._predict(line, reading.time_us, row)

    def _features(
        self, line: MachineLine, plan: Plan, values: Sequence[float], reading: Reading
    ) -> Row | None:
        """A reading whose windows are refused is a reading without windows."""
        try:
            return line.features(reading, plan, values)
        except KernelInputError as error:
            self._note_bad_input(line, reading, error)
        if not reading.windows:
            return None
        return self._features(line, plan, values, replace(reading, windows=()))

    def _predict(self, line: MachineLine, time_us: int, row: Row) -> None:
        for use_case, running in self._predictor.running().items():
            manifest = running.manifest
            wanted = (manifest.machine_class, manifest.feature_set)
            if wanted != (line.machine.machine_class, line.machine.feature_set):
                continue
            answer = self._predictor.predict(use_case, running, partial(line.inputs, row=row))
            if answer.error:
                self.last_error = answer.error
            if answer.prediction is None:
                self._counters.predictions_failed += not answer.unknown_condition
                reason = UNKNOWN_CONDITION if answer.unknown_condition else "no-prediction"
                self._gaps.note(line.index, reason, time_us)
                continue
            self._counters.predictions += 1
            self._counters.predictions_by_old += bool(answer.error)
            release = answer.prediction.manifest.release
            self._columns.add_prediction(line.index, release, time_us, answer.prediction.row)
            for event in line.alarms.judge(use_case, answer.prediction, time_us):
                self._counters.alarms_opened += event.state == "opened"
                self._columns.add_event(event)

    def _note_bad_input(self, line: MachineLine, reading: Reading, error: KernelInputError) -> None:
        self.last_error = f"machine {line.machine.name}: {error}"
        if reading.windows:
            self._counters.bad_windows += len(reading.windows)
        self._gaps.note(line.index, "bad-window" if reading.windows else "bad-value", reading.time_us)

    def _leave_out(self, machine: int, reason: str, time_us: int, values: int) -> None:
        self._counters.left_out += values
        self._gaps.note(machine, reason, time_us)


def _say_assumed(machines: Sequence[str]) -> None:
    """Once a table, not once a machine."""
    if machines:
        reason = "lines are looked for where a 6205 has them: declare `bearing` in the signal table"
        log.warning("no bearing declared", machines=len(machines), first=machines[0], reason=reason)
