"""Features out of a recording: what devices would have made of the same feeds, with the same kernels.

A recording is a stream (``andon sim record``), read once from front to back: windows
are dropped as soon as their features are made, so a recording of any length needs
the memory of its rows alone. One that was cut short is refused, never used in part.
"""

import math
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from kernels import sets
from kernels.errors import KernelError, KernelInputError
from models.examples import Floats
from wire.errors import FeedError, defect
from wire.feed import End, Frame, FrameReader, Hello, Open, Reading, Window
from wire.table import Machine, Signal, SignalKind, SignalTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MachineRows:
    """The feature rows of one machine, in time order."""

    machine: str
    feature_set: str
    names: tuple[str, ...]  # of the features
    units: tuple[str, ...]  # UCUM
    times: NDArray[np.int64]  # [n] UTC microseconds
    features: Floats  # [n, width]


def read_recording(stream: IO[bytes]) -> list[MachineRows]:
    """The rows of every machine in ``stream``, in its order.

    DatasetError where the stream is damaged, was cut short, or holds a machine without features.
    """
    reader, found = FrameReader(stream), list[MachineRows]()
    try:
        while (frame := reader.receive()) is not None:
            if not isinstance(frame, Open):
                raise _unexpected("the name of a device", frame)
            found += _device(reader, frame.source)
    except FeedError as error:
        raise DatasetError(f"the recording is damaged or was cut short: {error}: record it again") from error
    if not found:
        raise DatasetError("expected a recording of at least one machine, got an empty stream")
    return found


class _Line:
    """One machine while its readings pass: with windows, features are made at once, else all at the end."""

    def __init__(self, table: SignalTable, index: int) -> None:
        self._machine = table.machines[index]
        scalars = table.signals_of(index, SignalKind.SCALAR)
        self._waveforms = table.signals_of(index, SignalKind.WAVEFORM)
        self._places = {signal.id: place for place, signal in enumerate(scalars)}
        self._extractor = _extractor(self._machine, scalars, self._waveforms)
        self._state = self._extractor.initial()
        self._times: list[int] = []
        self._rows: list[NDArray[np.floating]] = []

    def take(self, reading: Reading) -> None:
        scalars = np.full(len(self._places), np.nan)
        for signal, value in zip(reading.signals, reading.values, strict=True):
            scalars[self._places[signal]] = value
        row: NDArray[np.floating] | None = scalars
        if self._waveforms:
            windows = self._ordered(reading.windows)
            row = self._extractor.update(self._state, reading.time_us, scalars, windows)
        if row is not None:
            self._times.append(reading.time_us)
            self._rows.append(row)

    def rows(self) -> MachineRows:
        times = np.array(self._times, np.int64)
        width = self._extractor.width if self._waveforms else len(self._places)
        features = np.array(self._rows, np.float32 if self._waveforms else np.float64).reshape(-1, width)
        if not self._waveforms and len(times):
            features = self._extractor.batch(times, features)
        sound = np.isfinite(features).all(axis=1)
        return MachineRows(
            machine=self._machine.name,
            feature_set=self._machine.feature_set,
            names=self._extractor.names,
            units=self._extractor.units,
            times=times[sound],
            features=np.ascontiguousarray(features.reshape(len(times), -1)[sound]).astype(np.float32),
        )

    def _ordered(self, windows: tuple[Window, ...]) -> list[NDArray[np.float32]]:
        if not windows:
            return []
        found = {window.signal: window for window in windows}
        for signal in self._waveforms:
            rate_hz = found[signal.id].rate_hz
            if not math.isclose(rate_hz, signal.rate_hz, rel_tol=1e-6):  # a device would not take it
                raise KernelInputError(signal.name, f"{rate_hz} Hz", f"windows at {signal.rate_hz} Hz")
        return [found[signal.id].values for signal in self._waveforms]


def _extractor(
    machine: Machine, scalars: tuple[Signal, ...], waveforms: tuple[Signal, ...]
) -> sets.Extractor:
    try:
        return sets.of_signals(machine.feature_set, scalars, waveforms, bearing=machine.bearing)
    except KernelError as error:
        raise DatasetError(f"no features can be made of {machine.name}: {error}") from error


def _device(reader: FrameReader, device: str) -> list[MachineRows]:
    """From the signal table to the end of one device's feed."""
    hello = reader.receive()
    if not isinstance(hello, Hello):
        raise _unexpected(f"the signal table of {device}", hello)
    try:
        lines = [_Line(hello.table, index) for index in range(len(hello.table.machines))]
        while isinstance(frame := reader.receive(), Reading):
            lines[frame.machine].take(frame)
    except (KernelError, KeyError, IndexError) as error:
        raise DatasetError(f"the recording of {device} gives no features: {defect(error)}") from error
    if not isinstance(frame, End):
        raise _unexpected(f"a reading of {device} or the end of its feed", frame)
    return [line.rows() for line in lines]


def _unexpected(wanted: str, frame: Frame | None) -> DatasetError:
    found = "the end of the stream" if frame is None else type(frame).__name__
    return DatasetError(f"expected {wanted} in the recording, got {found}: record it again")
