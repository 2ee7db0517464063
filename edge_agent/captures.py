"""Which windows are kept raw: those that raise an alarm, those the hub asks for, and one now and then.

Features say that something changed, and the window behind them says what; all of it would be
thousands of times the bytes. What was taken and what is owed is stored with the readings, so a
restart takes nothing twice. A flood of commands is one capture in ``ASKED_EVERY_S`` a machine.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import structlog

from edge_agent.machine_line import MachineLine
from wire.batch import LONGEST_CAPTURE, Capture, Why
from wire.feed import Reading, Window

log = structlog.get_logger()

ASKED_EVERY_S = 10.0  # of real time, between two of one machine that were asked for
ROUTINE_EVERY_S = 30.0  # of real time, likewise of routine, however fast a scaled clock runs
MOST_WAITING = 256  # commands that no reading came after yet
MOST_ANSWERED = 8  # commands of a machine that are known again
HOUR_US = 3_600_000_000


@dataclass(slots=True, kw_only=True)
class _Owed:
    """What is known of one machine. ``routine_us``, ``alarm`` and ``answered`` outlive the process."""

    routine_us: int | None = None  # time of the last routine one
    alarm: bool = False  # one was raised, and no window of it was seen yet
    answered: tuple[str, ...] = ()  # commands, the newest last
    asked: str | None = None  # a command that waits; the hub repeats it after a restart
    asked_s: float = float("-inf")  # when, in real time, the last one that was asked for was taken
    routine_s: float = float("-inf")  # and the last one of routine
    seen: tuple[int, tuple[Window, ...]] | None = None  # the newest windows

    def to_bytes(self) -> bytes:
        kept = {"routine_us": self.routine_us, "alarm": self.alarm, "answered": self.answered}
        return json.dumps(kept, sort_keys=True).encode()


class Captures:
    """By machine, whatever the signal table; ``ask`` is for any thread, the rest for one."""

    def __init__(
        self,
        routine_hours: float,
        saved: Mapping[str, bytes],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``routine_hours``: of the readings' time, between two of routine; 0: none."""
        self._routine_us = round(routine_hours * HOUR_US)
        self._monotonic = monotonic
        self._owed: dict[str, _Owed] = {}
        self._changed: set[str] = set()
        self._waiting: deque[tuple[str, str]] = deque(maxlen=MOST_WAITING)
        prefix = _key("")
        for name, body in saved.items():
            if name.startswith(prefix):
                self._owed[name.removeprefix(prefix)] = _restored(body)

    def ask(self, machine: str, command: str) -> None:
        """Take the next windows of ``machine``; a command that was answered before is done already."""
        self._waiting.append((machine, command))

    def take(self, line: MachineLine, reading: Reading, *, alarmed: bool) -> list[Capture]:
        """The captures that ``reading`` gives cause to, one a waveform signal; usually none.

        An alarm raised by a reading without windows is about the newest ones there are.
        """
        self._hear()
        owed = self._of(line.machine.name)
        if reading.windows:
            owed.seen = reading.time_us, reading.windows
        if alarmed and not owed.alarm:
            owed.alarm = True
            self._changed.add(line.machine.name)
        why = self._why(owed, reading)
        if why is None or owed.seen is None:
            return []
        found = _captures(line, *owed.seen, why, owed.asked or "")
        if found:
            self._note_taken(line.machine.name, owed, why, reading.time_us)
        return found

    def memory(self) -> dict[str, bytes]:
        """What changed since the last commit, as the outbox keeps it."""
        return {_key(name): self._owed[name].to_bytes() for name in sorted(self._changed)}

    def committed(self) -> None:
        self._changed.clear()

    def _hear(self) -> None:
        while self._waiting:
            machine, command = self._waiting.popleft()
            owed = self._of(machine)
            if not command or command not in owed.answered:
                owed.asked = command

    def _of(self, machine: str) -> _Owed:
        owed = self._owed.get(machine)
        if owed is None:
            owed = self._owed[machine] = _Owed()
        return owed

    def _why(self, owed: _Owed, reading: Reading) -> Why | None:
        if owed.alarm:
            return Why.ALARM
        if not reading.windows:
            return None
        if owed.asked is not None and self._monotonic() - owed.asked_s >= ASKED_EVERY_S:
            return Why.ASKED
        return Why.ROUTINE if self._is_due(owed, reading.time_us) else None

    def _is_due(self, owed: _Owed, now_us: int) -> bool:
        """A clock that was set back does not end the routine: what lies ahead was never taken."""
        if not self._routine_us or self._monotonic() - owed.routine_s < ROUTINE_EVERY_S:
            return False
        last_us = owed.routine_us
        return last_us is None or now_us < last_us or now_us - last_us >= self._routine_us

    def _note_taken(self, machine: str, owed: _Owed, why: Why, time_us: int) -> None:
        """Any window serves the one who asked; routine goes on by itself."""
        owed.alarm = False
        if why is Why.ROUTINE:
            owed.routine_us, owed.routine_s = time_us, self._monotonic()
        if owed.asked is not None:
            owed.asked_s = self._monotonic()
            owed.answered = (*owed.answered, owed.asked)[-MOST_ANSWERED:] if owed.asked else owed.answered
            owed.asked = None
        self._changed.add(machine)


def _captures(
    line: MachineLine, time_us: int, windows: Collection[Window], why: Why, command: str
) -> list[Capture]:
    """Of all waveforms of the machine, as declared and finite; else of none, for the next may do."""
    found = {window.signal: window for window in windows}
    if found.keys() != line.waveforms.keys():
        return []
    whole = all(_is_sound(window, line.waveforms[window.signal]) for window in windows)
    return [
        Capture(
            signal=signal,
            time_us=time_us,
            rate_hz=line.waveforms[signal],
            values=found[signal].values[:LONGEST_CAPTURE],
            why=why,
            command=command,
        )
        for signal in (line.waveforms if whole else ())
    ]


def _is_sound(window: Window, rate_hz: float) -> bool:
    fits = rate_hz > 0 and abs(window.rate_hz - rate_hz) <= 1e-6 * rate_hz
    return fits and bool(len(window.values) and np.isfinite(window.values).all())


def _key(machine: str) -> str:
    return f"captures/{machine}"


def _restored(body: bytes) -> _Owed:
    kept = json.loads(body)
    routine_us = kept.get("routine_us")
    return _Owed(
        routine_us=None if routine_us is None else int(routine_us),
        alarm=bool(kept.get("alarm")),
        answered=tuple(map(str, kept.get("answered", ()))),
    )
