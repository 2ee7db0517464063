"""Captures of a machine, and one with its values and spectrum; times in seconds since 1970."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from cloud_hub.console import reach
from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import Query, Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import hub
from cloud_hub.console.machines import capture_view, spectra
from cloud_hub.console.machines.spectra import Line, Peak
from cloud_hub.console.words import unit
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import captures
from cloud_hub.store.captures import Taken, Window


class CaptureAsked(Query):
    """As the page's link has it; ``scale``, ``ms`` and ``hz`` are of how it is drawn there."""

    signal: Annotated[Text, Field(description="Empty: the first one.")] = ""
    of: Annotated[Text, Field(description="spectrum, or envelope for that of the envelope.")] = ""
    other: Annotated[Text, Field(alias="with", description="The id of another capture, to lie beside.")] = ""
    scale: Text = ""
    ms: Text = ""
    hz: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTold:
    """``why`` has the most telling reason first."""

    id: int
    time: float
    why: tuple[str, ...]
    signals: tuple[str, ...]
    seconds: float
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A window and its spectrum; amplitudes are of sines, in the unit of the signal."""

    time: float
    rate_hz: float
    values: tuple[float, ...]
    step_hz: float
    amplitudes: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureWhole:
    """One signal of a capture, its spectrum with what has a name there, and another one beside it."""

    id: int
    time: float
    why: tuple[str, ...]
    signals: tuple[str, ...]
    seconds: float
    received: float
    signal: str
    unit: str
    unit_label: str
    of: str
    rate_hz: float
    values: tuple[float, ...]
    step_hz: float
    amplitudes: tuple[float, ...]
    speed_hz: float | None
    lines: tuple[Line, ...]
    peaks: tuple[Peak, ...]
    other: Drawn | None


@operation("GET", "/machines/<name>/captures", Permission.SEE, of=reach.machine)
def machine_captures(name: str, query: Paging) -> Page[CaptureTold]:
    """Captures of a machine, newest first, without their values."""
    found, total = captures.taken(hub().database, name, most=query.size, offset=query.offset)
    return paging.told(query, [_told(each) for each in found], total)


@operation("GET", "/machines/<name>/captures/<at>", Permission.SEE, of=reach.machine)
def machine_capture(name: str, at: str, query: CaptureAsked) -> CaptureWhole:
    """One signal of a capture with its spectrum, or its envelope's; with another capture beside it."""
    del query  # checked; what the link chooses is read where the page reads it
    database = hub().database
    capture = captures.one(database, name, capture_view.at(at, name))
    choice = capture_view.chosen(capture)
    window = captures.window(database, name, capture.time, choice.signal)
    beside = capture_view.other(name, capture, choice)
    turns = capture_view.turning(name, window)
    named = capture_view.lines(turns)
    found = spectra.of(window.values, window.rate_hz, choice.kind)
    told = _told(capture)
    drawn = capture_view.drawn(window, found)
    return CaptureWhole(
        **{each: getattr(told, each) for each in CaptureTold.__dataclass_fields__ if each != "time"},
        **drawn | {each: tuple(drawn[each]) for each in ("values", "amplitudes")},
        signal=window.signal,
        unit=window.unit,
        unit_label=unit(window.unit),
        of=choice.kind,
        speed_hz=turns.speed_hz,
        lines=tuple(named),
        peaks=tuple(spectra.peaks(found, named)),
        other=_beside(beside, choice.kind),
    )


def _beside(other: Window | None, kind: str) -> Drawn | None:
    if other is None:
        return None
    told = capture_view.drawn(other, spectra.of(other.values, other.rate_hz, kind))
    return Drawn(**told | {each: tuple(told[each]) for each in ("values", "amplitudes")})


def _told(capture: Taken) -> CaptureTold:
    return CaptureTold(
        id=capture_view.number(capture.time),
        time=capture.time.timestamp(),
        why=tuple(capture.whys),
        signals=tuple(capture.signals),
        seconds=capture.seconds,
        received=capture.received.timestamp(),
    )
