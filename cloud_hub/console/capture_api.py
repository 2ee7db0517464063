"""``/api/v1``: captures of a machine, and one with its values and spectrum; times in seconds since 1970."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from cloud_hub.console import capture_view, listing, reach, spectra
from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub
from cloud_hub.console.listing import Part
from cloud_hub.console.words import unit
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import captures
from cloud_hub.store.captures import Taken, Window

pages = Blueprint("capture_api", __name__, url_prefix="/api/v1/machines/<name>/captures")


@pages.get("")
@needs(Permission.SEE, of=reach.machine)
def index(name: str) -> ResponseReturnValue:
    """Newest first, a page at a time."""
    _, total = captures.taken(hub().database, name, most=0)
    part = Part(asked=listing.page_number(), total=total)
    found, _ = captures.taken(hub().database, name, most=part.size, offset=part.offset)
    listed = [_told(each) for each in found]
    return {"captures": listed, "total": total, "page": part.number, "pages": part.pages}


@pages.get("/<at>")
@needs(Permission.SEE, of=reach.machine)
def show(name: str, at: str) -> ResponseReturnValue:
    """One signal of a capture, ``signal``; its spectrum, or with ``of=envelope`` its envelope's.

    With ``with`` (the id of another) also that one's. Amplitudes are of sines, in the signal's unit.
    """
    database = hub().database
    capture = captures.one(database, name, capture_view.at(at, name))
    choice = capture_view.chosen(capture)
    window = captures.window(database, name, capture.time, choice.signal)
    other = capture_view.other(name, capture, choice)
    turns = capture_view.turning(name, window)
    named = capture_view.lines(turns)
    found = spectra.of(window.values, window.rate_hz, choice.kind)
    return {
        **_told(capture),
        **capture_view.drawn(window, found),
        "signal": window.signal,
        "unit": window.unit,
        "unit_label": unit(window.unit),
        "of": choice.kind,
        "speed_hz": turns.speed_hz,
        "lines": [asdict(each) for each in named],
        "peaks": [asdict(each) for each in spectra.peaks(found, named)],
        "other": _beside(other, choice.kind),
    }


def _beside(other: Window | None, kind: str) -> dict[str, Any] | None:
    if other is None:
        return None
    return capture_view.drawn(other, spectra.of(other.values, other.rate_hz, kind))


def _told(capture: Taken) -> dict[str, Any]:
    return {
        "id": capture_view.number(capture.time),
        "time": capture.time.timestamp(),
        "why": list(capture.whys),
        "signals": list(capture.signals),
        "seconds": capture.seconds,
        "received": capture.received.timestamp(),
    }
