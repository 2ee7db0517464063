"""From a kind of recording and a path to sources that can be served, and notes for the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from simulators.errors import SettingError
from simulators.recorded import Line, Recording, ReplaySource, share_out
from simulators.recorded_cmapss import read_cmapss
from simulators.recorded_cwru import read_cwru
from simulators.recorded_skab import read_skab
from simulators.recorded_table import Layout, read_csv, read_parquet
from simulators.truth import Truth
from wire.clock import MICROSECONDS, Clock, to_datetime

HOUR_S = 3600.0
LABELS = "labels.jsonl"  # written even where nothing failed


class Kind(StrEnum):
    CMAPSS = "cmapss"
    CWRU = "cwru"
    SKAB = "skab"
    CSV = "csv"
    PARQUET = "parquet"


class Speed(StrEnum):
    MAX = "max"  # the recording has just ended: agents take it as fast as they can
    PACED = "paced"  # the recording begins now and goes by the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    kind: Kind
    path: Path
    devices: tuple[str, ...]
    speed: Speed
    step_s: float | None  # between readings, where the recording has no times of its own
    length: int  # samples a window
    keep_time: bool
    first_position: int
    layout: Layout

    def read(self) -> Recording:
        """The recording, at the times it says, or from 1970 on where it says none."""
        if not self.path.exists():
            raise SettingError(f"expected a recording in {self.path}, found no such file")
        if self.step_s is not None and not 1e-6 <= self.step_s <= 1e8:
            raise SettingError(f"expected --step between 0.000001 and 100,000,000 s, got {self.step_s:g}")
        if self.first_position < 1:
            raise SettingError(f"expected --first-position of 1 or more, got {self.first_position}")
        if not 256 <= self.length <= 65_536:
            raise SettingError(f"expected --length between 256 and 65,536 samples, got {self.length}")
        if self.keep_time and self.kind in (Kind.CMAPSS, Kind.CWRU):
            raise SettingError(f"--keep-time: recordings of kind {self.kind} carry no times to keep")
        step_us = None if self.step_s is None else round(self.step_s * MICROSECONDS)
        match self.kind:
            case Kind.CMAPSS:
                return read_cmapss(self.path, step_us=step_us or round(HOUR_S * MICROSECONDS))
            case Kind.CWRU:
                return read_cwru(self.path, length=self.length, step_us=step_us)
            case Kind.SKAB:
                return read_skab(self.path)
            case Kind.CSV:
                return read_csv(self.path, self.layout)
            case Kind.PARQUET:
                return read_parquet(self.path, self.layout)

    def to_fields(self, recording: Recording) -> dict[str, Any]:
        return {
            "kind": f"replay of {self.kind}",
            "path": str(self.path.resolve()),
            "devices": list(self.devices),
            "first_position": self.first_position,
            "machines": len(recording.tracks),
            "readings": sum(len(track.times_us) for track in recording.tracks),
            "begin_us": recording.first_us,
            "last_us": recording.last_us,
        }


def prepare(request: Request, clock: Clock, truth: Truth) -> tuple[Recording, Mapping[str, ReplaySource]]:
    """Read, place in time, share out and write down what the agents must not see.

    The place in time is kept in the truth directory: a second start of the same
    replay gives the same readings at the same times, so an agent can resume.
    """
    recording = request.read()
    if not request.keep_time:
        recording = recording.moved(begin_us=_begin(request, recording, clock, truth))
    return recording, share(request, recording, truth)


def share(request: Request, recording: Recording, truth: Truth) -> Mapping[str, ReplaySource]:
    """The sources of a ``recording`` that has its place in time, and its notes in the truth directory."""
    sources = share_out(recording, request.devices, first_position=request.first_position)
    truth.claim(request.to_fields(recording))
    truth.write_lines(LABELS, [])
    for name, lines in recording.notes.items():
        truth.write_lines(name, [_timed(time_us, line) for time_us, line in lines])
    return sources


def _begin(request: Request, recording: Recording, clock: Clock, truth: Truth) -> int:
    stored = truth.stored()
    if stored is not None and isinstance(stored.get("begin_us"), int):
        return int(stored["begin_us"])
    if request.speed is Speed.PACED:
        return clock.now_us()
    return clock.now_us() - (recording.last_us - recording.first_us)


def _timed(time_us: int, line: Line) -> dict[str, Any]:
    return dict(line) | {"time": to_datetime(time_us).isoformat()}
