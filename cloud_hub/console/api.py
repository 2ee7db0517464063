"""``/api/v1``: what charts draw, at most two thousand points a series; times in seconds since 1970."""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import happenings, reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub
from cloud_hub.console.machine_view import alarms_within, chosen, scalars
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
    signals = scalars(fleet.signals(database, machine.name))
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
    happened = [
        *happenings.of_alarms(alarms_within(name, span)),
        *happenings.of_labels(fleet.labels(database, name)),
        *happenings.of_releases(told),
    ]
    return _bounds(span) | {
        "use_case": use_case,
        "times": _seconds(told.times),
        "remaining_life": _finite(told.remaining_life),
        "lower": _finite(told.lower),
        "upper": _finite(told.upper),
        "anomaly": _finite(told.anomaly),
        "marks": happenings.marks(span, happened),
        "gaps": _gaps(name, span),
    }


@pages.get("/machines/<name>/live")
@needs(Permission.SEE, of=reach.machine)
def newest(name: str) -> ResponseReturnValue:
    """The newest value of each signal and the newest prediction: what a live page adds at its end."""
    database = hub().database
    machine = fleet.machine(database, name)
    signals = scalars(fleet.signals(database, name))
    told = {each.use_case: each for each in fleet.outlooks(database, name)}
    outlook = told.get(request.args.get("use_case") or (machine.outlook.use_case if machine.outlook else ""))
    return {
        "now": hub().clock.now().timestamp(),
        "signals": {
            each.name: {"time": each.time.timestamp(), "value": _finite([each.value])[0]}
            for each in signals
            if each.time is not None
        },
        "prediction": None if outlook is None else _point(outlook),
    }


def _point(outlook: fleet.Outlook) -> dict[str, Any]:
    figures = (outlook.remaining_life, outlook.lower, outlook.upper, outlook.anomaly)
    names = ("remaining_life", "lower", "upper", "anomaly")
    told = dict(zip(names, _finite(figures), strict=True))
    return {"time": outlook.time.timestamp(), "release": outlook.release, **told}


def _gaps(name: str, span: Span) -> list[dict[str, Any]]:
    return [
        {"start": gap.start.timestamp(), "end": gap.end.timestamp(), "reason": gap.reason}
        for gap in charts.gaps(hub().database, name, span.start, span.end)
    ]


def _span() -> Span:
    return Span.of(request.args, hub().clock.now())


def _bounds(span: Span) -> dict[str, Any]:
    return {"start": span.start.timestamp(), "end": span.end.timestamp()}


def _seconds(times: Iterable[datetime]) -> list[float]:
    return [time.timestamp() for time in times]


def _finite(values: Iterable[float | None]) -> list[float | None]:
    return [value if value is not None and math.isfinite(value) else None for value in values]
