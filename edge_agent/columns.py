"""Columns that grow reading by reading until a batch is closed.

A machine says the same signals at every reading, so values are appended flat per
such group and become arrays only when the batch closes: two appends a reading,
however many signals it has.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edge_agent.draft import Draft
from wire.batch import BatchClass, Capture, Event, Features, Rows, Series

SAMPLE_BYTES = 16
WAVEFORM_BYTES = 16 << 10  # of captures in one batch, before it is packed, where one alone has no more

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Group:
    """Readings of the same signals."""

    signals: tuple[int, ...]
    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))  # reading after reading


@dataclass(slots=True)
class _Stack:
    """Rows of one machine and source."""

    times: list[int] = field(default_factory=list)
    values: list[Features] = field(default_factory=list)


class Columns:
    """Everything taken since the last commit. Values are finite: whoever adds them has looked."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._groups: dict[tuple[int, ...], _Group] = {}
        self._features: dict[tuple[int, str], _Stack] = defaultdict(_Stack)
        self._predictions: dict[tuple[int, str], _Stack] = defaultdict(_Stack)
        self._events: list[Event] = []
        self._captures: list[tuple[int, Capture]] = []  # by machine
        self.rows = 0  # samples, feature rows, predictions and events
        self.bytes = 0  # of what was added, before it is packed

    @property
    def urgent(self) -> bool:
        """Whether an event waits, which nobody wants to wait for."""
        return bool(self._events)

    def add_samples(self, signals: tuple[int, ...], time_us: int, values: Sequence[float]) -> None:
        group = self._groups.get(signals)
        if group is None:
            group = self._groups[signals] = _Group(signals)
        group.times.append(time_us)
        group.values.extend(values)
        self.rows += len(signals)
        self.bytes += SAMPLE_BYTES * len(signals)

    def add_features(self, machine: int, source: str, time_us: int, row: Features) -> None:
        self._add(self._features[machine, source], time_us, row)

    def add_prediction(self, machine: int, release: str, time_us: int, row: Features) -> None:
        self._add(self._predictions[machine, release], time_us, row)

    def add_event(self, event: Event) -> None:
        self._events.append(event)
        self.rows += 1

    def add_captures(self, machine: int, captures: Sequence[Capture]) -> None:
        self._captures += [(machine, item) for item in captures]
        self.bytes += sum(item.values.nbytes for item in captures)

    def shed_captures(self) -> list[tuple[int, int]]:
        """Give up the captures alone; machine and time of each."""
        lost, self._captures = self._captures, []
        self.bytes -= sum(item.values.nbytes for _, item in lost)
        return [(machine, item.time_us) for machine, item in lost]

    def shed(self) -> tuple[int, int] | None:
        """Give up all but the events; the first and the last time of it, None where there was nothing."""
        times = [when for group in self._groups.values() for when in group.times]
        stacks = [*self._features.values(), *self._predictions.values()]
        times += [when for stack in stacks for when in stack.times]
        times += [item.time_us for _, item in self._captures]
        events = self._events
        self.clear()
        for event in events:
            self.add_event(event)
        return (min(times), max(times)) if times else None

    def drafts(self, table_hash: bytes, *, backlog: bool) -> list[Draft]:
        """One draft a class that has anything, most precious first; the columns stay as they are.

        Captures are cut into several, so that other batches pass between them: what a slow link has begun
        with keeps even an alarm waiting.
        """
        drafts = [
            Draft(batch_class=BatchClass.ALARM, table_hash=table_hash, events=tuple(self._events)),
            Draft(batch_class=BatchClass.PREDICTION, table_hash=table_hash, rows=_rows(self._predictions)),
            Draft(batch_class=BatchClass.FEATURE, table_hash=table_hash, rows=_rows(self._features)),
            Draft(batch_class=BatchClass.SAMPLE, table_hash=table_hash, series=self._series()),
            *(
                Draft(batch_class=BatchClass.WAVEFORM, table_hash=table_hash, captures=tuple(some))
                for some in _cut([item for _, item in self._captures])
            ),
        ]
        return [replace(draft, backlog=backlog) for draft in drafts if not draft.empty]

    def _add(self, stack: _Stack, time_us: int, row: Features) -> None:
        stack.times.append(time_us)
        stack.values.append(row)
        self.rows += 1
        self.bytes += row.nbytes

    def _series(self) -> tuple[Series, ...]:
        """One series a signal, in time order, whatever groups it came in."""
        pieces: dict[int, list[tuple[Times, Values]]] = defaultdict(list)
        for group in self._groups.values():
            times = np.array(group.times, np.int64)
            values = np.array(group.values, np.float64).reshape(len(times), len(group.signals))
            for column, signal in enumerate(group.signals):
                pieces[signal].append((times, values[:, column]))
        return tuple(_joined(signal, found) for signal, found in sorted(pieces.items()))


def _cut(captures: Sequence[Capture]) -> list[list[Capture]]:
    """In order, as many together as ``WAVEFORM_BYTES`` allow."""
    parts: list[list[Capture]] = []
    size = 0
    for item in captures:
        if not parts or size + item.values.nbytes > WAVEFORM_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += item.values.nbytes
    return parts


def all_finite(values: Sequence[float]) -> bool:
    """A sum is finite only if every term is; one that overflows is looked at again."""
    return math.isfinite(sum(values)) or all(map(math.isfinite, values))


def _joined(signal: int, pieces: list[tuple[Times, Values]]) -> Series:
    if len(pieces) == 1:
        times, values = pieces[0]
        return Series(signal=signal, times=times, values=values)
    times = np.concatenate([piece[0] for piece in pieces])
    order = np.argsort(times, kind="stable")
    values = np.concatenate([piece[1] for piece in pieces])
    return Series(signal=signal, times=times[order], values=values[order])


def _rows(stacks: dict[tuple[int, str], _Stack]) -> tuple[Rows, ...]:
    return tuple(
        Rows(
            machine=machine,
            source=source,
            times=np.array(stack.times, np.int64),
            values=np.stack(stack.values),
        )
        for (machine, source), stack in stacks.items()
    )
