"""Recorded data as a source of readings: whatever the file, the same shape and the same promise.

Positions are ranks in time over all machines of a device, so they depend on the
recording alone (and on the first one: an agent that has read one recording to
its end goes on with the next behind it). Missing values are left out of a reading
rather than sent as NaN: an agent then sees what a real gateway would have sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.errors import RecordingError
from wire.errors import MessageError
from wire.feed import Reading, Window
from wire.table import Machine, Signal, SignalKind, SignalTable

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """Windows of a waveform: ``values`` float32 (readings, length)."""

    name: str
    unit: str
    rate_hz: float
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The recording of one machine; ``values`` float64 (readings, signals), NaN where missing."""

    machine: Machine
    signals: tuple[tuple[str, str], ...]  # name, UCUM unit
    times_us: NDArray[np.int64]  # never falling
    values: NDArray[np.float64]
    waveform: Waveform | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All machines of a recording, with what is known about them beside the signals."""

    tracks: tuple[Track, ...]
    notes: Mapping[str, Sequence[tuple[int, Line]]] = field(default_factory=dict)
    # lines for files of the truth directory, by name; each with its time, which moves with the tracks
    bad_rows: int = 0
    missing_values: int = 0

    def moved(self, *, begin_us: int) -> "Recording":
        """The same recording, its first reading at ``begin_us``."""
        by_us = begin_us - self.first_us
        tracks = tuple(replace(track, times_us=track.times_us + by_us) for track in self.tracks)
        notes = {name: [(time + by_us, line) for time, line in lines] for name, lines in self.notes.items()}
        return replace(self, tracks=tracks, notes=notes)

    @property
    def first_us(self) -> int:
        return min(int(track.times_us[0]) for track in self.tracks)

    @property
    def last_us(self) -> int:
        return max(int(track.times_us[-1]) for track in self.tracks)


def share_out(
    recording: Recording, devices: Sequence[str], *, first_position: int = 1
) -> dict[str, "ReplaySource"]:
    """The machines of ``recording`` over ``devices``, in turn."""
    shares = {device: recording.tracks[i :: len(devices)] for i, device in enumerate(devices)}
    empty = [device for device, tracks in shares.items() if not tracks]
    if empty:
        raise RecordingError(
            f"expected at least a machine a device, got {len(recording.tracks)} machines "
            f"for {len(devices)} devices: nothing is left for {', '.join(empty)}"
        )
    return {device: ReplaySource(tracks, first_position) for device, tracks in shares.items()}


class ReplaySource:
    """The readings of the machines in ``tracks``, merged in time; the first is at ``first_position``."""

    replayable = True

    def __init__(self, tracks: Sequence[Track], first_position: int = 1) -> None:
        self._tracks = [_without_empty(track) for track in tracks]
        times = np.concatenate([track.times_us for track in self._tracks])
        order = np.argsort(times, kind="stable")
        sizes = [len(track.times_us) for track in self._tracks]
        self._machine = np.repeat(np.arange(len(sizes)), sizes)[order]
        self._row = np.concatenate([np.arange(size) for size in sizes])[order]
        counts = np.concatenate([np.isfinite(track.values).sum(axis=1) for track in self._tracks])
        self._samples = np.cumsum(counts[order])
        self._ids = _first_ids(self._tracks)
        self.table = _signal_table(self._tracks)
        self._before = first_position - 1
        self.last_position = self._before + len(order)

    def readings(self, after: int) -> Iterator[Reading]:
        for position in range(max(after, self._before) + 1, self.last_position + 1):
            yield self._reading(position)

    def samples_until(self, position: int) -> int:
        """How many samples the readings up to and including ``position`` hold."""
        readings = self.readings_until(position)
        return int(self._samples[readings - 1]) if readings > 0 else 0

    def readings_until(self, position: int) -> int:
        return max(0, min(position, self.last_position) - self._before)

    def _reading(self, position: int) -> Reading:
        rank = position - self._before - 1
        machine, row = int(self._machine[rank]), int(self._row[rank])
        track, base = self._tracks[machine], self._ids[machine]
        present = np.flatnonzero(np.isfinite(track.values[row]))
        windows: tuple[Window, ...] = ()
        if track.waveform is not None:
            wave = track.waveform
            windows = (
                Window(signal=base + len(track.signals), rate_hz=wave.rate_hz, values=wave.values[row]),
            )
        return Reading(
            position=position,
            machine=machine,
            time_us=int(track.times_us[row]),
            signals=tuple((base + present).tolist()),
            values=tuple(track.values[row][present].tolist()),
            windows=windows,
        )


def _without_empty(track: Track) -> Track:
    """A row without a single value says nothing and is not sent."""
    if track.waveform is not None:
        return track
    kept = np.isfinite(track.values).any(axis=1)
    return replace(track, times_us=track.times_us[kept], values=track.values[kept])


def _first_ids(tracks: Sequence[Track]) -> list[int]:
    sizes = [len(track.signals) + (track.waveform is not None) for track in tracks]
    return [sum(sizes[:i]) for i in range(len(sizes))]


def _signal_table(tracks: Sequence[Track]) -> SignalTable:
    signals: list[Signal] = []
    for machine, track in enumerate(tracks):
        for name, unit in track.signals:
            signals.append(Signal(id=len(signals), machine=machine, name=name, unit=unit))
        if track.waveform is not None:
            signals.append(
                Signal(
                    id=len(signals),
                    machine=machine,
                    name=track.waveform.name,
                    unit=track.waveform.unit,
                    kind=SignalKind.WAVEFORM,
                    rate_hz=track.waveform.rate_hz,
                )
            )
    try:
        return SignalTable(machines=tuple(track.machine for track in tracks), signals=tuple(signals))
    except MessageError as error:
        raise RecordingError(f"the recording cannot be named in a signal table: {error}") from error
