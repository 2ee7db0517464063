"""What the pages of captures show, as values for their templates and for ``/api/v1``.

A capture is named by its machine and by its moment in microseconds, so a link means the same for ever.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from flask import request
from werkzeug.exceptions import BadRequest

from cloud_hub.console.here import hub
from cloud_hub.console.machines import spectra
from cloud_hub.errors import NotFoundError
from cloud_hub.store import captures, charts
from cloud_hub.store.captures import Taken, Window
from cloud_hub.store.database import load_queries
from kernels import reference, sets
from kernels.bearing import Bearing, as_declared
from kernels.errors import KernelError, KernelInputError
from kernels.vibration import PER_SECOND, SPEED
from wire.clock import to_datetime, to_us
from wire.table import Bearing as Declared

SQL = load_queries("cloud_hub.console.machines", "captures.sql")
NEWEST = 5  # on the page of their machine
MOST_OTHERS = 100  # offered to compare with
LINEAR, LOG = "linear", "log"
SPEED_WITHIN = timedelta(minutes=10)  # an older speed says nothing
TURNS = {**PER_SECOND, "/min": 1 / 60}
DIGITS = 6  # that matter, of what is drawn
_ZOOM = re.compile(r"[0-9.]{1,12}-[0-9.]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turning:
    """What names the lines of a spectrum: how fast the shaft turned, and its bearing."""

    speed_hz: float | None
    bearing: Bearing | None
    assumed: bool = False  # nobody declared it: a 6205, as the features take it
    trouble: str = ""  # why there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a link asks to see."""

    signal: str
    kind: str  # of spectrum
    scale: str
    other: str  # the moment of a capture to compare with; empty: none


def newest(name: str) -> dict[str, Any]:
    """The newest captures of a machine and what it was asked for; ``waveforms``: whether it can be."""
    database = hub().database
    found, total = captures.taken(database, name, most=NEWEST)
    told = database.row(SQL["waveforms"], {"machine": name})
    asked = captures.request(database, name)
    waits = asked if asked and asked.answered is None else None
    return {"captures": found, "total": total, "waveforms": bool(told), "waits": waits}


def at(text: str, name: str) -> datetime:
    """The moment that a link names; ``NotFoundError`` for one that there cannot be."""
    try:
        if re.fullmatch(r"[0-9]{1,17}", text):
            return to_datetime(int(text))
    except (OverflowError, ValueError):
        pass
    raise NotFoundError("capture", f"{name} at {text[:40]}")


def number(time: datetime) -> int:
    """How a link names a capture."""
    return to_us(time)


def chosen(capture: Taken) -> Choice:
    """What the link asks for, of what there is; ``BadRequest`` for what is no choice."""
    asked = {name: request.args.get(name, "") for name in ("signal", "of", "scale", "with")}
    signal = asked["signal"] or capture.signals[0]
    if signal not in capture.signals:
        told = ", ".join(capture.signals)
        raise BadRequest(f"Expected a signal of this capture, {told}; got {signal[:40]!r}.")
    kind, scale = asked["of"] or spectra.SPECTRUM, asked["scale"] or LINEAR
    for told, choices in ((kind, spectra.KINDS), (scale, (LINEAR, LOG))):
        if told not in choices:
            raise BadRequest(f"Expected {' or '.join(choices)}, got {told[:40]!r}.")
    return Choice(signal=signal, kind=kind, scale=scale, other=asked["with"])


def link(choice: Choice, **changes: str) -> dict[str, str]:
    """What a link to the same capture carries on; a place that was looked at closer, too."""
    told = {"signal": choice.signal, "of": choice.kind, "scale": choice.scale, "with": choice.other}
    zoomed = {name: request.args.get(name, "") for name in ("ms", "hz")}
    told |= {name: text for name, text in zoomed.items() if _ZOOM.fullmatch(text)}
    usual = {"of": spectra.SPECTRUM, "scale": LINEAR}
    kept = {**told, **changes}
    return {name: text for name, text in kept.items() if text and text != usual.get(name)}


def other(name: str, capture: Taken, choice: Choice) -> Window | None:
    """The window to compare with; ``NotFoundError`` where it is not kept."""
    if not choice.other:
        return None
    return captures.window(hub().database, name, at(choice.other, name), choice.signal)


def others(name: str, capture: Taken, choice: Choice) -> list[Taken]:
    """Captures of the same signal at other moments."""
    database = hub().database
    found, _ = captures.taken(database, name, signal=choice.signal, most=MOST_OTHERS + 1)
    offered = [each for each in found if each.time != capture.time][:MOST_OTHERS]
    if choice.other and choice.other not in [str(number(each.time)) for each in offered]:
        offered.append(captures.one(database, name, at(choice.other, name)))
    return offered


def turning(name: str, window: Window) -> Turning:
    """How fast the machine turned when ``window`` was taken, and the geometry of its bearing."""
    row = hub().database.row(SQL["declared"], {"machine": name}) or {}
    speed_hz = _speed(name, row.get("speed_unit") or "", window)
    try:
        declared = Declared(**row["bearing"]) if row.get("bearing") else None
        if declared is None and not _assumes(row.get("feature_set") or ""):
            return Turning(speed_hz=speed_hz, bearing=None)
        return Turning(speed_hz=speed_hz, bearing=as_declared(declared), assumed=declared is None)
    except (KernelInputError, TypeError) as error:
        return Turning(speed_hz=speed_hz, bearing=None, trouble=str(error))


def lines(turns: Turning) -> tuple[spectra.Line, ...]:
    return spectra.lines(turns.speed_hz, turns.bearing)


def statistics(window: Window) -> dict[str, float]:
    """Root mean square, peak, crest factor and kurtosis, as the features have them."""
    pieces: Any = reference
    told = pieces.statistics(pieces.centre(np.asarray(window.values, np.float64)[None]))[0].tolist()
    return dict(zip(("rms", "peak", "crest", "kurtosis"), told[:4], strict=True))


def drawn(window: Window, found: spectra.Spectrum) -> dict[str, Any]:
    """A window and its spectrum as JSON, with as many digits as can be seen."""
    return {
        "time": window.time.timestamp(),
        "rate_hz": window.rate_hz,
        "values": _short(window.values.astype(np.float64)),
        "step_hz": found.step_hz,
        "amplitudes": _short(found.amplitudes),
    }


def _short(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    highest = float(np.abs(values).max(initial=0.0))
    if not highest > 0:
        return [float(value) for value in values]
    found: list[float] = np.round(values, DIGITS - 1 - int(np.floor(np.log10(highest)))).tolist()
    return found


def _speed(name: str, unit: str, window: Window) -> float | None:
    """The newest speed known by the end of ``window``."""
    if unit not in TURNS:
        return None
    seconds = len(window.values) / window.rate_hz + 1.0
    end = window.time + timedelta(seconds=seconds)
    told = charts.series(hub().database, name, SPEED, window.time - SPEED_WITHIN, end)
    if not told.times:
        return None
    speed = (told.low[-1] + told.high[-1]) / 2 * TURNS[unit]
    return abs(speed) if np.isfinite(speed) else None


def _assumes(feature_set: str) -> bool:
    """Whether features of this set look for the lines of a bearing that nobody declared."""
    try:
        return sets.feature_set(feature_set).of_windows
    except KernelError:
        return False
