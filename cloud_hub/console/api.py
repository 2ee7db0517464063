"""``/api/v1``: what charts draw, at most two thousand points a series; times in seconds since 1970."""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import reach, spans
from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub
from cloud_hub.console.machine_pages import SCALAR, chosen
from cloud_hub.console.spans import Span
from cloud_hub.console.words import unit
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import charts, fleet

pages = Blueprint("api", __name__, url_prefix="/api/v1")


@pages.get("/machines/<name>/series")
@needs(Permission.SEE, of=reach.machine)
def series(name: str) -> ResponseReturnValue:
    """Samples of the signals asked for; of a long span, the lowest and highest of each stretch.

    With what is known to be missing, so that a hole says what it is.
    """
    database = hub().database
    machine = fleet.machine(database, name)
    signals = [each for each in fleet.signals(database, machine.name) if each.kind == SCALAR]
    units = {each.name: each.unit for each in signals}
    span = _span()
    found = []
    for signal in chosen(signals):
        chart = charts.series(database, name, signal, span.start, span.end)
        points = {
            "times": _seconds(chart.times),
            "low": _finite(chart.low),
            "high": None if chart.low == chart.high else _finite(chart.high),
        }
        found.append({"signal": signal, "unit": units[signal], "unit_label": unit(units[signal]), **points})
    return _bounds(span) | {"series": found, "gaps": _gaps(name, span)}


@pages.get("/machines/<name>/predictions")
@needs(Permission.SEE, of=reach.machine)
def predictions(name: str) -> ResponseReturnValue:
    """Remaining life with its interval, and what happened meanwhile."""
    database = hub().database
    machine = fleet.machine(database, name)
    span = _span()
    use_case = request.args.get("use_case") or (machine.outlook.use_case if machine.outlook else "")
    told = charts.predictions(database, name, use_case, span.start, span.end)
    return _bounds(span) | {
        "use_case": use_case,
        "times": _seconds(told.times),
        "remaining_life": _finite(told.remaining_life),
        "lower": _finite(told.lower),
        "upper": _finite(told.upper),
        "anomaly": _finite(told.anomaly),
        "marks": [*_happened(name, span), *_changes(told.times, told.releases)],
    }


def _happened(name: str, span: Span) -> list[dict[str, Any]]:
    database = hub().database
    alarms = [("alarm", each.opened, each.message) for each in fleet.alarms(database, name)]
    labels = [(each.kind, each.time, each.source) for each in fleet.labels(database, name)]
    return [
        {"kind": kind, "time": time.timestamp(), "text": text}
        for kind, time, text in (*alarms, *labels)
        if span.start <= time < span.end
    ]


def _gaps(name: str, span: Span) -> list[dict[str, Any]]:
    return [
        {"start": gap.start.timestamp(), "end": gap.end.timestamp(), "reason": gap.reason}
        for gap in charts.gaps(hub().database, name, span.start, span.end)
    ]


def _changes(times: tuple[datetime, ...], releases: tuple[str, ...]) -> list[dict[str, Any]]:
    """Where another release began to predict."""
    pairs = zip(times[1:], releases, releases[1:], strict=False)
    return [
        {"kind": "release", "time": time.timestamp(), "text": after}
        for time, before, after in pairs
        if before != after
    ]


def _span() -> Span:
    return Span.parse(request.args.get("span", spans.DEFAULT), hub().clock.now())


def _bounds(span: Span) -> dict[str, Any]:
    return {"start": span.start.timestamp(), "end": span.end.timestamp()}


def _seconds(times: Iterable[datetime]) -> list[float]:
    return [time.timestamp() for time in times]


def _finite(values: Iterable[float | None]) -> list[float | None]:
    return [value if value is not None and math.isfinite(value) else None for value in values]
