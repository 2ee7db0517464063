"""What charts draw, at most two thousand points a series; times in seconds since 1970."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from cloud_hub.console import reach
from cloud_hub.console.api.asked import Query, Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.here import hub
from cloud_hub.console.machines import happenings
from cloud_hub.console.machines.machine_view import alarms_within, chosen, scalars
from cloud_hub.console.machines.spans import DEFAULT, Span
from cloud_hub.console.words import unit
from cloud_hub.flows.explaining import explain_newest
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import charts, fleet

SPAN_LIKE = r"^([1-9][0-9]{0,5}(min|h|d)|own)$"
WRITTEN = "Of an own span: as 2026-11-27T03:10, on a clock in the zone."

Figures = tuple[float | None, ...]


class Spanned(Query):
    span: Annotated[
        Text, Field(description="Up to now, as 6h or 30d; or own.", json_schema_extra={"pattern": SPAN_LIKE})
    ] = DEFAULT  # what is wrong with one is said by who reads it
    start: Annotated[Text, Field(alias="from", description=WRITTEN)] = ""
    end: Annotated[Text, Field(alias="to", description=WRITTEN)] = ""
    zone: Annotated[Text, Field(description="IANA, of an own span; empty: UTC.")] = ""

    def within(self, now: datetime) -> Span:
        """``BadRequest`` says what is wrong with it."""
        link = {"span": self.span, "from": self.start, "to": self.end, "zone": self.zone}
        return Span.of(link, now)


class SeriesAsked(Spanned):
    signals: Annotated[
        tuple[Text, ...], Field(max_length=64, description="Eight at most; none: the first few.")
    ] = ()


class PredictionsAsked(Spanned):
    use_case: Annotated[Text, Field(description="Empty: that of the most pressing prediction.")] = ""


class NewestAsked(Query):
    use_case: Annotated[Text, Field(description="Empty: that of the most pressing prediction.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartGap:
    """A hole in what a machine sent, in seconds since 1970, and why."""

    start: float
    end: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points in order of time; of a long span the lowest and highest of each stretch, else no ``high``."""

    signal: str
    unit: str  # UCUM
    unit_label: str
    times: tuple[float, ...]
    low: Figures
    high: Figures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTold:
    """Signals of one machine in a span, and what of it is known to be missing."""

    start: float
    end: float
    series: tuple[Series, ...]
    gaps: tuple[ChartGap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What happened at a moment of the span."""

    kind: str
    time: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionsTold:
    """Predictions of one use case in a span; lives in the unit of the release's output."""

    start: float
    end: float
    use_case: str
    times: tuple[float, ...]
    remaining_life: Figures
    lower: Figures
    upper: Figures
    anomaly: Figures
    marks: tuple[Mark, ...]
    gaps: tuple[ChartGap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    time: float
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    time: float
    release: str
    remaining_life: float | None
    lower: float | None
    upper: float | None
    anomaly: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest value of each signal, and the newest prediction; ``now`` is the hub's clock."""

    now: float
    signals: dict[str, Reading]
    prediction: Prediction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputExplained:
    """``sound`` is what a sound machine would get; ``effects`` are what each input adds to that."""

    answer: float
    sound: float
    effects: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why the newest prediction is so; ``apart``: how far hub and device differ, as a share of a range."""

    release: str
    time: float
    apart: float | None
    units: dict[str, str]
    outputs: dict[str, OutputExplained]


@operation("GET", "/machines/<name>/series", Permission.SEE, of=reach.machine)
def series(name: str, query: SeriesAsked) -> SeriesTold:
    """Samples of signals in a span.

    Of a long span, the lowest and highest of each stretch; with what is known to be missing, so that a
    hole says what it is.
    """
    database = hub().database
    machine = fleet.machine(database, name)
    signals = scalars(fleet.signals(database, machine.name))
    units = {each.name: each.unit for each in signals}
    span = query.within(hub().clock.now())
    found = {
        signal: charts.series(database, name, signal, span.start, span.end) for signal in chosen(signals)
    }
    return SeriesTold(
        start=span.start.timestamp(),
        end=span.end.timestamp(),
        series=tuple(_series(signal, units[signal], chart) for signal, chart in found.items()),
        gaps=_gaps(name, span),
    )


@operation("GET", "/machines/<name>/predictions", Permission.SEE, of=reach.machine)
def predictions(name: str, query: PredictionsAsked) -> PredictionsTold:
    """Remaining life with its interval in a span, and what happened meanwhile."""
    database = hub().database
    machine = fleet.machine(database, name)
    span = query.within(hub().clock.now())
    use_case = query.use_case or (machine.outlook.use_case if machine.outlook else "")
    told = charts.predictions(database, name, use_case, span.start, span.end)
    happened = [
        *happenings.of_alarms(alarms_within(name, span)),
        *happenings.of_labels(fleet.labels(database, name)),
        *happenings.of_releases(told),
    ]
    return PredictionsTold(
        start=span.start.timestamp(),
        end=span.end.timestamp(),
        use_case=use_case,
        times=_seconds(told.times),
        remaining_life=_finite(told.remaining_life),
        lower=_finite(told.lower),
        upper=_finite(told.upper),
        anomaly=_finite(told.anomaly),
        marks=tuple(Mark(**mark) for mark in happenings.marks(span, happened)),
        gaps=_gaps(name, span),
    )


@operation("GET", "/machines/<name>/live", Permission.SEE, of=reach.machine)
def newest(name: str, query: NewestAsked) -> Newest:
    """The newest value of each signal and the newest prediction: what a live page adds at its end."""
    database = hub().database
    machine = fleet.machine(database, name)
    signals = scalars(fleet.signals(database, name))
    told = {each.use_case: each for each in fleet.outlooks(database, name)}
    outlook = told.get(query.use_case or (machine.outlook.use_case if machine.outlook else ""))
    return Newest(
        now=hub().clock.now().timestamp(),
        signals={
            each.name: Reading(time=each.time.timestamp(), value=_finite([each.value])[0])
            for each in signals
            if each.time is not None
        },
        prediction=None if outlook is None else _point(outlook),
    )


@operation(
    "GET", "/machines/<name>/explanation/<use_case>", Permission.SEE, of=reach.machine, refusals=(409,)
)
def explanation(name: str, use_case: str) -> Explained:
    """Why the newest prediction of a use case for a machine is what it is: what each input adds."""
    told = explain_newest(hub(), name, use_case)
    return Explained(
        release=told.release,
        time=told.time.timestamp(),
        apart=_finite([told.apart])[0],
        units=dict(told.units),
        outputs={
            output: OutputExplained(answer=each.answer, sound=each.sound, effects=dict(each.effects))
            for output, each in told.outputs.items()
        },
    )


def _series(signal: str, code: str, chart: charts.Chart) -> Series:
    return Series(
        signal=signal,
        unit=code,
        unit_label=unit(code),
        times=_seconds(chart.times),
        low=_finite(chart.low),
        high=None if chart.low == chart.high else _finite(chart.high),
    )


def _point(outlook: fleet.Outlook) -> Prediction:
    life, lower, upper, anomaly = _finite(
        (outlook.remaining_life, outlook.lower, outlook.upper, outlook.anomaly)
    )
    return Prediction(
        time=outlook.time.timestamp(),
        release=outlook.release,
        remaining_life=life,
        lower=lower,
        upper=upper,
        anomaly=anomaly,
    )


def _gaps(name: str, span: Span) -> tuple[ChartGap, ...]:
    return tuple(
        ChartGap(start=gap.start.timestamp(), end=gap.end.timestamp(), reason=gap.reason)
        for gap in charts.gaps(hub().database, name, span.start, span.end)
    )


def _seconds(times: Iterable[datetime]) -> tuple[float, ...]:
    return tuple(time.timestamp() for time in times)


def _finite(values: Iterable[float | None]) -> Figures:
    return tuple(value if value is not None and math.isfinite(value) else None for value in values)
