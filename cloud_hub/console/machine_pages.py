"""One machine: what it says, what is foreseen, what happened."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import outlooks, reach, spans
from cloud_hub.console.fleet_pages import meanings
from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub
from cloud_hub.console.outlooks import Meaning
from cloud_hub.console.spans import Span
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import fleet
from cloud_hub.store.fleet import Signal

MOST_SIGNALS = 8
SHOWN_AT_FIRST = 4
SCALAR = "scalar"

pages = Blueprint("machine", __name__, url_prefix="/machines")


@pages.get("/<name>")
@needs(Permission.SEE, of=reach.machine)
def show(name: str) -> ResponseReturnValue:
    database = hub().database
    machine = fleet.machine(database, name)
    signals = [each for each in fleet.signals(database, name) if each.kind == SCALAR]
    span = Span.parse(request.args.get("span", spans.DEFAULT), hub().clock.now())
    outlook = machine.outlook
    known = meanings(database)
    meaning = known.get(outlook.release, Meaning()) if outlook else Meaning()
    return render_template(
        "machine.html",
        machine=machine,
        outlook=outlook,
        outlooks=fleet.outlooks(database, name),
        state=outlooks.state(machine, meaning),
        meaning=meaning,
        units={release: each.unit for release, each in known.items()},
        signals=signals,
        chosen=chosen(signals),
        span=span,
        spans=spans.CHOICES,
        alarms=fleet.alarms(database, name, most=50),
        labels=list(reversed(fleet.labels(database, name)))[:50],
        gaps=fleet.gaps(database, machine=name, most=20),
    )


def chosen(signals: list[Signal]) -> list[str]:
    """The signals a link asks for, as ``signals=a,b`` or ``signals=a&signals=b``; else the first few."""
    asked = [name for text in request.args.getlist("signals") for name in text.split(",") if name]
    known = [each.name for each in signals]
    return [name for name in dict.fromkeys(asked) if name in known][:MOST_SIGNALS] or known[:SHOWN_AT_FIRST]
