"""A batch: everything a device has to say to the hub, of one class, in columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from wire.errors import ColumnMismatchError

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]


class BatchClass(StrEnum):
    """What a batch holds; the order is how precious it is, most precious first."""

    ALARM = "alarm"
    PREDICTION = "prediction"
    FEATURE = "feature"
    SAMPLE = "sample"
    SKETCH = "sketch"
    WAVEFORM = "waveform"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Samples of one signal: ``times`` int64 [n] UTC microseconds, ``values`` float64 [n]."""

    signal: int
    times: Times
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleColumns(Sequence[Series]):
    """Many series end to end, so that all can be looked at in one call; one is cut out when it is asked for.

    ``signals`` int64 [s]; series i holds ``times`` int64 [n] and ``values`` float64 [n] from
    ``offsets[i]`` to ``offsets[i + 1]`` (int64 [s + 1]). As a sequence it is read-only.
    """

    signals: Times
    offsets: Times
    times: Times
    values: Values

    @classmethod
    def of(cls, series: Sequence[Series]) -> Self:
        """``ColumnMismatchError`` where a series has not one value a time."""
        if isinstance(series, cls):
            return series
        if not series:
            return cls(signals=_NO_TIMES, offsets=np.zeros(1, np.int64), times=_NO_TIMES, values=_NO_VALUES)
        times, values = [item.times for item in series], [item.values for item in series]
        shapes = [item.shape for item in times]
        if shapes != [item.shape for item in values] or set(map(len, shapes)) != {1}:
            raise ColumnMismatchError(
                f"expected as many values as times, got {[item.shape for item in values]} and {shapes}"
            )
        return cls(
            signals=np.array([item.signal for item in series], np.int64),
            offsets=np.array([0, *accumulate(map(len, times))], np.int64),
            times=np.concatenate(times).astype(np.int64, copy=False),
            values=np.concatenate(values).astype(np.float64, copy=False),
        )

    def __len__(self) -> int:
        return len(self.signals)

    @overload
    def __getitem__(self, index: int) -> Series: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Series, ...]: ...
    def __getitem__(self, index: int | slice) -> Series | tuple[Series, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        place = range(len(self))[index]
        return self._cut(int(self.signals[place]), int(self.offsets[place]), int(self.offsets[place + 1]))

    def __iter__(self) -> Iterator[Series]:
        offsets = self.offsets.tolist()
        return map(self._cut, self.signals.tolist(), offsets[:-1], offsets[1:])

    def _cut(self, signal: int, first: int, end: int) -> Series:
        return Series(signal=signal, times=self.times[first:end], values=self.values[first:end])


_NO_TIMES = np.empty(0, np.int64)
_NO_VALUES = np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """One row a window: ``times`` int64 [n], ``values`` float32 [n, width].

    ``source`` is the feature set of features, the release of predictions.
    """

    machine: int
    source: str
    times: Times
    values: Features


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    time_us: int
    machine: int
    use_case: str
    release: str
    state: str  # "opened", "updated" or "closed"
    severity: float  # 0 to 1
    message: str
    opened_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GapEvent:
    """What could not be kept, and why: a span of time, or of sequences of an epoch."""

    time_us: int
    reason: str  # such as "agent-down", "disk-full", "bad-window"
    machine: int = -1  # -1: the whole device
    from_us: int = 0
    to_us: int = 0
    epoch: int = 0
    first_sequence: int = 0
    last_sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportEvent:
    """What an update did: one step of its life on one device, with the reason."""

    time_us: int
    use_case: str
    directive_sequence: int
    state: str
    event: str
    reason: str = ""
    release: str = ""
    rollout: str = ""
    correlation: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


Event = AlarmEvent | GapEvent | ReportEvent

LONGEST_CAPTURE = 65_536  # samples


class Why(StrEnum):
    """What a capture was taken for, the most telling first."""

    ALARM = "alarm"  # its machine raised one by this window
    ASKED = "asked"  # somebody at the hub
    ROUTINE = "routine"  # what to hold the others against


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capture:
    """The raw window of one waveform signal: ``values`` float32 [n] at ``rate_hz``, the first at ``time_us``.

    Those of one machine and time belong together, in whatever batches they come.
    """

    signal: int
    time_us: int
    rate_hz: float
    values: Features
    why: str  # a ``Why``, or what a later device calls it
    command: str = ""  # the id of the command that it answers; empty: none


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a batch says of itself before its columns."""

    batch_class: BatchClass
    epoch: int
    sequence: int
    floor: int
    table_hash: bytes
    backlog: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """``series`` of a batch that was decoded are ``SampleColumns``, which need not be walked one by one."""

    batch_class: BatchClass
    epoch: int
    sequence: int
    floor: int
    table_hash: bytes
    backlog: bool = False
    series: Sequence[Series] = ()
    rows: tuple[Rows, ...] = ()
    events: tuple[Event, ...] = ()
    captures: tuple[Capture, ...] = ()

    @property
    def header(self) -> Header:
        return Header(
            batch_class=self.batch_class,
            epoch=self.epoch,
            sequence=self.sequence,
            floor=self.floor,
            table_hash=self.table_hash,
            backlog=self.backlog,
        )

    @property
    def columns(self) -> SampleColumns:
        """The samples of all series; nothing is copied for a batch that was decoded."""
        return SampleColumns.of(self.series)

    @property
    def samples(self) -> int:
        """How many samples it carries."""
        if isinstance(self.series, SampleColumns):
            return len(self.series.times)
        return sum(len(series.times) for series in self.series)
