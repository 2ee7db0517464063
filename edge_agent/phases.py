"""Whether a machine is in a critical phase, by the newest values of the signals that were named for it.

A machine is, while the newest value of a signal fulfils a condition and is fresh; an old
value says nothing, for a machine that was switched off tells none. What is not known yet
is taken for critical: a signal nobody here has, and for as long as a value is fresh a
signal that has not been heard since the agent started or its source told other signals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from edge_agent.config import CriticalSettings
from wire.clock import MICROSECONDS, Clock
from wire.table import Signal, SignalKind, SignalTable


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalPhase:
    """``unknowable``: no machine of this device has the signal."""

    reason: str  # without the value, so the same for as long as the phase lasts
    unknowable: bool = False
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    settings: CriticalSettings
    signals: tuple[tuple[int, str], ...]  # of the table: id, and a name for people

    def holds(self, value: float) -> bool:
        above, below = self.settings.above, self.settings.below
        return (above is None or value > above) and (below is None or value < below)

    @property
    def words(self) -> str:
        above, below = self.settings.above, self.settings.below
        bounds = (
            f"above {above:g}" if above is not None else "",
            f"below {below:g}" if below is not None else "",
        )
        return " and ".join(filter(None, bounds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """The signals of one table, as far as conditions are about them; replaced as a whole."""

    since_us: int
    conditions: tuple[_Condition, ...]
    newest: dict[int, tuple[int, float]] = field(default_factory=dict)  # by signal: when, and its value

    def judge(self, condition: _Condition, now_us: int) -> CriticalPhase | None:
        settings = condition.settings
        if not condition.signals:
            where = f"machine {settings.machine}" if settings.machine else "a machine"
            reason = f"no {settings.signal} of {where} of this device to judge a critical phase by"
            return CriticalPhase(reason=reason, unknowable=True)
        oldest_us = now_us - settings.fresh_s * MICROSECONDS
        for signal, name in condition.signals:
            time_us, value = self.newest.get(signal, (self.since_us, None))
            if time_us < oldest_us:
                continue
            if value is None:
                return CriticalPhase(reason=f"{name} has not been heard yet")
            if condition.holds(value):
                return CriticalPhase(reason=f"{name} is {condition.words}", evidence={name: value})
        return None


class Phases:
    """The pipeline tells what it hears of the watched signals; any thread may ask."""

    def __init__(self, conditions: Sequence[CriticalSettings], clock: Clock) -> None:
        self._settings = conditions
        self._clock = clock
        self.watch(SignalTable(machines=(), signals=()))

    def watch(self, table: SignalTable) -> frozenset[int]:
        """From now on it is about the signals of ``table``; which of them are to be told."""
        conditions = tuple(_condition(settings, table) for settings in self._settings)
        self._watched = _Watched(since_us=self._clock.now_us(), conditions=conditions)
        return frozenset(signal for condition in conditions for signal, _ in condition.signals)

    def hear(self, signal: int, time_us: int, value: float) -> None:
        if isfinite(value):
            self._watched.newest[signal] = time_us, value

    def critical(self) -> CriticalPhase | None:
        """The first phase that a machine is in; before what is merely unknowable."""
        watched, now_us = self._watched, self._clock.now_us()
        judged = (watched.judge(condition, now_us) for condition in watched.conditions)
        found = [phase for phase in judged if phase is not None]
        return min(found, key=lambda phase: phase.unknowable, default=None)


def _condition(settings: CriticalSettings, table: SignalTable) -> _Condition:
    def meant(signal: Signal) -> bool:
        machine = table.machines[signal.machine].name
        return signal.name == settings.signal and settings.machine in ("", machine)

    signals = [signal for signal in table.signals if signal.kind is SignalKind.SCALAR and meant(signal)]
    named = tuple((each.id, f"{each.name} of {table.machines[each.machine].name}") for each in signals)
    return _Condition(settings=settings, signals=named)
