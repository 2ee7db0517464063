"""Captures of a machine: which there are, one of them with its spectrum, and asking for another."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console import listing, reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub
from cloud_hub.console.listing import Part
from cloud_hub.console.machines import capture_view, machine_view, spectra
from cloud_hub.console.machines.capture_view import Choice
from cloud_hub.errors import NotFoundError
from cloud_hub.flows import capturing
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import captures, fleet
from cloud_hub.store.captures import Taken

pages = Blueprint("capture", __name__, url_prefix="/machines/<name>/captures")


@pages.get("")
@needs(Permission.SEE, of=reach.machine)
def index(name: str) -> ResponseReturnValue:
    number = listing.page_number()
    listing.asked((), {})
    _, total = captures.taken(hub().database, name, most=0)
    part = Part(asked=number, total=total)
    found, _ = captures.taken(hub().database, name, most=part.size, offset=part.offset)
    values = _machine(name) | {"part": part, "captures": found, "link": listing.link}
    return render_template("captures.html", **values)


@pages.get("/newest")
@needs(Permission.SEE, of=reach.machine)
def newest(name: str) -> ResponseReturnValue:
    """The part of a machine's page that keeps current."""
    return render_template("captures_newest.html", **_machine(name), newest=capture_view.newest(name))


@pages.post("")
@needs(Permission.JUDGE, of=reach.machine, form="machine.show")
def ask(name: str) -> ResponseReturnValue:
    """Evidence for who judges alarms; ``ConflictError`` says why nothing can answer."""
    asked = capturing.ask(hub(), name, actor=caller().name)
    if asked.again:
        flash(
            f"It was asked for at {asked.asked:%H:%M} UTC already and is not here yet: nothing was changed."
        )
    elif asked.online:
        flash(f"{asked.device} was asked for the next windows of {name}: they appear under Captures.")
    else:
        flash(f"{asked.device} is offline: it answers when it comes back, within a day.")
    return redirect(url_for("machine.show", name=name, _anchor="h-captures", **machine_view.link()), 303)


@pages.get("/<at>")
@needs(Permission.SEE, of=reach.machine)
def show(name: str, at: str) -> ResponseReturnValue:
    capture = captures.one(hub().database, name, capture_view.at(at, name))
    choice = capture_view.chosen(capture)
    try:
        capture_view.other(name, capture, choice)
    except NotFoundError:
        gone = "The capture to compare with is not kept any more, or never was; this one is shown alone."
        alone = Choice(signal=choice.signal, kind=choice.kind, scale=choice.scale, other="")
        return _page(name, capture, alone, gone), 404
    return _page(name, capture, choice)


def _page(name: str, capture: Taken, choice: Choice, objection: str = "") -> str:
    window = captures.window(hub().database, name, capture.time, choice.signal)
    turns = capture_view.turning(name, window)
    found = spectra.of(window.values, window.rate_hz, choice.kind)
    values = {
        "capture": capture,
        "choice": choice,
        "window": window,
        "turns": turns,
        "statistics": capture_view.statistics(window),
        "peaks": spectra.peaks(found, capture_view.lines(turns)),
        "step_hz": found.step_hz,
        "others": capture_view.others(name, capture, choice),
        "objection": objection,
        "to": _linking(name, capture, choice),
        "data": capture_view.link(choice),
    }
    return render_template("capture.html", **_machine(name), **values)


def _linking(name: str, capture: Taken, choice: Choice) -> Any:
    at = capture_view.number(capture.time)

    def to(**changes: str) -> str:
        values: dict[str, Any] = {"name": name, "at": at, **capture_view.link(choice, **changes)}
        return url_for("capture.show", **values)

    return to


def _machine(name: str) -> dict[str, Any]:
    database = hub().database
    place = database.row(machine_view.SQL["place"], {"machine": name})
    return {"machine": fleet.machine(database, name), "place": place, "number": capture_view.number}
