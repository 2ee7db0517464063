"""A batch: everything a device has to say to the hub, of one class, in columns."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

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
    batch_class: BatchClass
    epoch: int
    sequence: int
    floor: int
    table_hash: bytes
    backlog: bool = False
    series: tuple[Series, ...] = ()
    rows: tuple[Rows, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def samples(self) -> int:
        """How many samples it carries."""
        return sum(len(series.times) for series in self.series)
