"""What was left out and why, told without drowning anyone: at most one gap a machine and reason in a while.

Nothing is forgotten in between: a note grows until it may be told, and what is
not told yet is stored with the readings it speaks of.
"""

import json
from dataclasses import dataclass

from wire.batch import GapEvent

PAUSE_S = 60.0  # real seconds between two gaps of one machine and reason


@dataclass(slots=True)
class _Note:
    from_us: int
    to_us: int


class GapNotes:
    """Machine -1 is the whole device. Times of notes are the readings'; pauses are monotonic seconds."""

    def __init__(self) -> None:
        self._notes: dict[tuple[int, str], _Note] = {}
        self._told: dict[tuple[int, str], float] = {}

    def note(self, machine: int, reason: str, from_us: int, to_us: int | None = None) -> None:
        """Clocks may go back: the earlier of the two times is the beginning."""
        from_us, until = sorted((from_us, from_us if to_us is None else to_us))
        note = self._notes.get((machine, reason))
        if note is None:
            self._notes[machine, reason] = _Note(from_us, until)
        else:
            note.from_us, note.to_us = min(note.from_us, from_us), max(note.to_us, until)

    def due(self, now: float, *, time_us: int, every: bool = False) -> list[GapEvent]:
        """Take out the gaps that may be told at ``now``, or every one."""
        ready = [key for key in self._notes if every or now - self._told.get(key, float("-inf")) >= PAUSE_S]
        events = []
        for key in ready:
            note = self._notes.pop(key)
            self._told[key] = now
            machine, reason = key
            events.append(
                GapEvent(
                    time_us=time_us, reason=reason, machine=machine, from_us=note.from_us, to_us=note.to_us
                )
            )
        return events

    def to_bytes(self) -> bytes:
        """What is not told yet."""
        notes = [[*key, note.from_us, note.to_us] for key, note in sorted(self._notes.items())]
        return json.dumps(notes).encode()

    def restore(self, payload: bytes) -> None:
        for machine, reason, from_us, to_us in json.loads(payload):
            self.note(int(machine), str(reason), int(from_us), int(to_us))
