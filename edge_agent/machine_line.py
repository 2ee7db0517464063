"""One machine's line through the agent: what its readings say, as features, predictions and alarms.

The line's memory (features, open alarms) is stored with what was made of it, so a
restarted agent continues exactly where the stored position is.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import structlog

from edge_agent.alarms import Alarms
from edge_agent.model_inputs import Inputs, ModelInputs, Row
from kernels import sets
from kernels.errors import KernelError, KernelInputError, KernelStateError
from wire.feed import Reading, Window
from wire.manifest import Manifest
from wire.table import Machine, Signal, SignalKind, SignalTable

log = structlog.get_logger()

NAN = float("nan")
MOST_PLANS = 256  # a source that tells only what changed tells it in ever new combinations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Where the values of a reading with these signals go."""

    known: tuple[int, ...]  # places in the reading that are samples of this machine
    signals: tuple[int, ...]  # their signals
    scalars: npt.NDArray[np.intp]  # their places among the machine's scalars
    watched: tuple[tuple[int, int], ...]  # of them: signal and place, where critical phases are judged by it


class MachineLine:
    """``refusal`` says why no features are made, where the feature set cannot be had."""

    def __init__(
        self, table: SignalTable, index: int, saved: Mapping[str, bytes], watched: Collection[int]
    ) -> None:
        self.index = index
        self.machine = table.machines[index]
        self.bearing_assumed = False  # lines of a bearing are looked for, and which it is nobody declared
        self.alarms = Alarms(index)
        self.refusal = ""
        self.extractor: sets.Extractor | None = None
        scalars = table.signals_of(index, SignalKind.SCALAR)
        self._waveforms = table.signals_of(index, SignalKind.WAVEFORM)
        self.rates = {signal.name: signal.rate_hz for signal in self._waveforms}
        self.waveforms = {signal.id: signal.rate_hz for signal in self._waveforms}
        self._places = {signal.id: place for place, signal in enumerate(scalars)}
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._watched = watched
        try:
            self.extractor = _extractor(table, index)
            self.bearing_assumed = bool(self.extractor) and _is_assumed(self.machine, scalars)
        except KernelError as error:
            self.refusal = f"machine {self.machine.name}: {error}"
            log.error("no features", machine=self.machine.name, reason=str(error))
        self._state = self.extractor.initial() if self.extractor else None
        self._inputs = ModelInputs(self.extractor, self.rates) if self.extractor else None
        self._restore(saved)

    def plan(self, signals: tuple[int, ...]) -> Plan:
        plan = self._plans.get(signals)
        if plan is None:
            known = tuple(place for place, signal in enumerate(signals) if signal in self._places)
            kept = tuple(signals[place] for place in known)
            scalars = np.array([self._places[signal] for signal in kept], np.intp)
            watched = tuple((signal, place) for place, signal in enumerate(kept) if signal in self._watched)
            plan = Plan(known=known, signals=kept, scalars=scalars, watched=watched)
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[signals] = plan
        return plan

    def features(self, reading: Reading, plan: Plan, values: Sequence[float]) -> Row | None:
        """The feature row that ``reading`` makes, if any; ``values`` belong to ``plan.signals``.

        ``KernelInputError`` leaves the memory as it was.
        """
        if self.extractor is None or self._state is None:
            return None
        scalars = np.full(len(self._places), NAN)
        scalars[plan.scalars] = values
        return self.extractor.update(self._state, reading.time_us, scalars, self._windows(reading.windows))

    def inputs(self, manifest: Manifest, row: Row) -> Inputs:
        """What ``row``, which ``features`` just made, means for the model of ``manifest``.

        Raises UnknownConditionError, and FeatureMismatchError where its table is of other machines.
        """
        assert self._inputs is not None, "a row comes from an extractor"
        assert self._state is not None, "a row leaves its memory"
        return self._inputs.of(manifest, row, self._state)

    def memory(self) -> dict[str, bytes]:
        """What the outbox keeps of this machine."""
        features = {} if self._state is None else {f"features/{self.machine.name}": self._state.to_bytes()}
        return features | {f"alarms/{self.machine.name}": self.alarms.to_bytes()}

    def _windows(self, windows: Sequence[Window]) -> list[npt.NDArray[np.float32]]:
        """The windows in the order the extractor takes them; all of a machine's waveforms, or none."""
        if not windows:
            return []
        found = {window.signal: window for window in windows}
        if found.keys() != {signal.id for signal in self._waveforms}:
            wanted = f"a window of each of {len(self._waveforms)} waveforms"
            raise KernelInputError(self.machine.name, f"{len(found)} windows", wanted)
        for signal in self._waveforms:
            rate_hz = found[signal.id].rate_hz
            if not math.isclose(rate_hz, signal.rate_hz, rel_tol=1e-6):
                raise KernelInputError(signal.name, f"{rate_hz} Hz", f"windows at {signal.rate_hz} Hz")
        return [found[signal.id].values for signal in self._waveforms]

    def _restore(self, saved: Mapping[str, bytes]) -> None:
        alarms = saved.get(f"alarms/{self.machine.name}")
        if alarms:
            self.alarms.restore(alarms)
        features = saved.get(f"features/{self.machine.name}")
        if features and self.extractor:
            try:
                self._state = self.extractor.restore(features)
            except KernelStateError as error:
                log.warning("features start anew", machine=self.machine.name, reason=str(error))


def _extractor(table: SignalTable, index: int) -> sets.Extractor | None:
    machine = table.machines[index]
    if not machine.feature_set:
        return None
    sets.warm(machine.feature_set)
    return sets.of_signals(
        machine.feature_set,
        table.signals_of(index, SignalKind.SCALAR),
        table.signals_of(index, SignalKind.WAVEFORM),
        bearing=machine.bearing,
    )


def _is_assumed(machine: Machine, scalars: Sequence[Signal]) -> bool:
    return machine.bearing is None and sets.bearing_of(machine.feature_set, scalars, None) is not None
