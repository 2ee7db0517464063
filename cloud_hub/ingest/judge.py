"""What of a batch is stored, and what is not, series by series. Pure: no bad series costs its neighbours.

A series is stored whole or not at all; of rows, those that are bad are left out.
What is refused comes back as one batch for each reason, so that it can be kept in
quarantine and tried again as it is.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from cloud_hub.ingest.judge_captures import HubCapture, judge_capture
from cloud_hub.store.reasons import Reason
from wire.batch import Batch, BatchClass, Capture, Event, Rows, SampleColumns, Series
from wire.clock import readable

WIDEST = 4096  # values in one row

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownTable:
    """A signal table with the hub's ids, by local id."""

    machines: npt.NDArray[np.int32]
    signals: npt.NDArray[np.int32]
    scalar: npt.NDArray[np.bool_]  # by signal
    owners: npt.NDArray[np.int32]  # by signal: the hub's id of its machine
    rates: npt.NDArray[np.float64]  # by signal, in Hz
    feature_sets: tuple[str, ...]  # by machine
    widths: tuple[int, ...]  # by machine: values in a feature row; 0: not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is accepted now: times in [earliest, latest] microseconds, and predictions of these releases."""

    earliest_us: int
    latest_us: int
    releases: Container[str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refusal:
    reason: Reason
    detail: str
    part: Batch  # what was refused, as a batch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HubRows:
    """Rows to store: features of a feature set or predictions of a release, with the hub's machine id."""

    batch_class: BatchClass
    machine: int
    source: str
    times: Times
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What of one batch is to be stored, and what was refused."""

    times: Times  # of samples; equally long, in the order they came
    signals: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    rows: tuple[HubRows, ...]
    events: tuple[Event, ...]
    refusals: tuple[Refusal, ...]
    captures: tuple[HubCapture, ...] = ()


SUPPORTED = frozenset(BatchClass) - {BatchClass.SKETCH}


def judge(batch: Batch, table: KnownTable, rules: Rules, judge_event: Callable[[Event], str]) -> Judged:
    """Judge every part of ``batch``; ``judge_event`` gives what is wrong with an event, or nothing."""
    refused = _Refused(batch)
    samples = _accepted_samples(batch.columns, table, rules, refused)
    rows = [kept for item in batch.rows for kept in _accepted_rows(batch, item, table, rules, refused)]
    events: list[Event] = []
    for event in batch.events:
        if problem := judge_event(event):
            refused.of(Reason.BAD_EVENT, problem).events.append(event)
        else:
            events.append(event)
    captures = _accepted_captures(batch.captures, table, rules, refused)
    return Judged(
        times=samples.times,
        signals=np.repeat(table.signals[samples.signals], np.diff(samples.offsets)),
        values=samples.values,
        rows=tuple(rows),
        events=tuple(events),
        refusals=refused.refusals(),
        captures=captures,
    )


@dataclass(slots=True, kw_only=True)
class _Parts:
    detail: str  # of the first
    series: list[Series] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    captures: list[Capture] = field(default_factory=list)


class _Refused:
    """What of one batch is refused, by reason: one thing in quarantine each, however many parts it has."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._parts: dict[Reason, _Parts] = {}

    def of(self, reason: Reason, detail: str) -> _Parts:
        """What is refused for ``reason``; the caller adds to it what ``detail`` tells of."""
        return self._parts.setdefault(reason, _Parts(detail=detail))

    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(self._refusal(reason, parts) for reason, parts in self._parts.items())

    def _refusal(self, reason: Reason, parts: _Parts) -> Refusal:
        series, rows, events = tuple(parts.series), tuple(parts.rows), tuple(parts.events)
        captures = tuple(parts.captures)
        more = len(series) + len(rows) + len(events) + len(captures) - 1
        return Refusal(
            reason=reason,
            detail=f"{parts.detail}; and {more} more like it" if more else parts.detail,
            part=replace(self._batch, series=series, rows=rows, events=events, captures=captures),
        )


def _accepted_captures(
    captures: Sequence[Capture], table: KnownTable, rules: Rules, refused: _Refused
) -> tuple[HubCapture, ...]:
    accepted: list[HubCapture] = []
    for capture in captures:
        found = judge_capture(capture, table, rules.latest_us)
        if isinstance(found, HubCapture):
            accepted.append(found)
        else:
            refused.of(*found).captures.append(capture)
    return tuple(accepted)


def _accepted_samples(
    columns: SampleColumns, table: KnownTable, rules: Rules, refused: _Refused
) -> SampleColumns:
    """All of them at one look where all are good, else one series by one."""
    if _all_good(columns, table, rules):
        return columns
    accepted: list[Series] = []
    for series in columns:
        if (wrong := _wrong_series(series, table, rules)) is not None:
            refused.of(*wrong).series.append(series)
        else:
            accepted.append(series)
    return SampleColumns.of(accepted)


def _all_good(columns: SampleColumns, table: KnownTable, rules: Rules) -> bool:
    if not len(columns.signals):
        return True
    if columns.signals.max() >= len(table.signals) or not table.scalar[columns.signals].all():
        return False
    times = columns.times
    return not len(times) or bool(
        times.min() >= rules.earliest_us
        and times.max() <= rules.latest_us
        and np.isfinite(columns.values).all()
    )


def _wrong_series(series: Series, table: KnownTable, rules: Rules) -> tuple[Reason, str] | None:
    if series.signal >= len(table.signals):
        return (
            Reason.UNKNOWN_SIGNAL,
            f"expected a signal below {len(table.signals)}, got {series.signal}",
        )
    if not table.scalar[series.signal]:
        return Reason.WRONG_KIND, f"signal {series.signal} is declared a waveform"
    if not np.isfinite(series.values).all():
        count = int(np.count_nonzero(~np.isfinite(series.values)))
        return Reason.NOT_FINITE, f"signal {series.signal}: {count} of {len(series.values)} values"
    wrong = _wrong_times(series.times, rules)
    return wrong and (wrong[0], f"signal {series.signal}: {wrong[1]}")


def _wrong_times(times: Times, rules: Rules) -> tuple[Reason, str] | None:
    if not len(times):
        return None
    if times.max() > rules.latest_us:
        return (
            Reason.FROM_THE_FUTURE,
            f"expected a time up to {readable(rules.latest_us)}, got {readable(times.max())}",
        )
    if times.min() < rules.earliest_us:
        return (
            Reason.TOO_LATE,
            f"expected a time from {readable(rules.earliest_us)}, got {readable(times.min())}",
        )
    return None


def _accepted_rows(
    batch: Batch, rows: Rows, table: KnownTable, rules: Rules, refused: _Refused
) -> list[HubRows]:
    """The good rows of a block."""

    def refuse(reason: Reason, detail: str, which: npt.NDArray[np.bool_] | slice) -> None:
        bad = replace(rows, times=rows.times[which], values=rows.values[which])
        refused.of(reason, f"{rows.source}: {detail}").rows.append(bad)

    if (wrong := _wrong_block(batch.batch_class, rows, table, rules)) is not None:
        refuse(*wrong, slice(None))
        return []
    finite: npt.NDArray[np.bool_] = np.all(np.isfinite(rows.values), axis=1)
    infinite = np.logical_not(finite)
    late = finite & (rows.times < rules.earliest_us)
    early = finite & (rows.times > rules.latest_us)
    for reason, which in (
        (Reason.NOT_FINITE, infinite),
        (Reason.TOO_LATE, late),
        (Reason.FROM_THE_FUTURE, early),
    ):
        if which.any():
            refuse(reason, f"{np.count_nonzero(which)} of {len(which)} rows", which)
    good = finite & ~(late | early)
    if not good.any():
        return []
    return [
        HubRows(
            batch_class=batch.batch_class,
            machine=int(table.machines[rows.machine]),
            source=rows.source,
            times=rows.times[good],
            values=rows.values[good],
        )
    ]


def _wrong_block(
    batch_class: BatchClass, rows: Rows, table: KnownTable, rules: Rules
) -> tuple[Reason, str] | None:
    """What is wrong with every row of a block alike."""
    width = rows.values.shape[1]
    if rows.machine >= len(table.machines):
        return (
            Reason.UNKNOWN_MACHINE,
            f"expected a machine below {len(table.machines)}, got {rows.machine}",
        )
    if not 0 < width <= WIDEST:
        return Reason.WRONG_WIDTH, f"expected 1 to {WIDEST} values a row, got {width}"
    if batch_class is BatchClass.PREDICTION:
        known = rows.source in rules.releases
        return None if known else (Reason.UNKNOWN_RELEASE, f"release {rows.source!r}")
    if rows.source != table.feature_sets[rows.machine]:
        expected = table.feature_sets[rows.machine]
        return Reason.WRONG_FEATURE_SET, f"expected {expected!r}, got {rows.source!r}"
    expected_width = table.widths[rows.machine]
    if expected_width and width != expected_width:
        return Reason.WRONG_WIDTH, f"expected {expected_width} values a row, got {width}"
    return None
