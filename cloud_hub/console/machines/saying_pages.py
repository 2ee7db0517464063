"""What a person says of a machine by a form of its page: a verdict on an alarm, a failure, maintenance."""

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console import moments, reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub
from cloud_hub.console.machines.machine_pages import page
from cloud_hub.console.machines.machine_view import LOG, Form, link
from cloud_hub.console.sentences import one_line
from cloud_hub.errors import ConflictError
from cloud_hub.flows import labelling
from cloud_hub.flows.labelling import Saying
from cloud_hub.identity.people.permissions import Permission

pages = Blueprint("saying", __name__, url_prefix="/machines/<name>")


@pages.post("/alarms/<int(max=9223372036854775807):alarm>/verdict")
@needs(Permission.JUDGE, of=reach.machine, form="machine.show")
def judge(name: str, alarm: int) -> ResponseReturnValue:
    verdict = request.form.get("verdict", "")
    if not verdict:
        return _again(name, str(alarm), "Say whether the alarm was right or wrong.", 400)
    try:
        changed = labelling.judge(hub(), name, alarm, verdict, _saying())
    except ConflictError as error:
        return _again(name, str(alarm), f"Nothing was changed: {error}.", 409)
    flash(f"Judged {verdict}." if changed else f"It was judged {verdict} already: nothing was changed.")
    return _back(name, "h-alarms")


@pages.post("/log")
@needs(Permission.LABEL, of=reach.machine, form="machine.show")
def log(name: str) -> ResponseReturnValue:
    """A moment that cannot be, or what is logged already, changes nothing and says why."""
    kind, text = request.form.get("kind", ""), request.form.get("time", "")
    if not kind or not text:
        return _again(name, LOG, "Say what happened and when.", 400)
    try:
        time = moments.parse(text, request.form.get("zone", ""))
        labelling.log(hub(), name, kind, time, _saying())
    except ConflictError as error:
        return _again(name, LOG, f"Nothing was changed: {error}.", 409)
    flash(f"Logged: {kind} at {time:%Y-%m-%d %H:%M} UTC.")
    return _back(name, "h-history")


def _saying() -> Saying:
    fault, note = (one_line(request.form.get(field, "")) for field in ("fault", "note"))
    return Saying(actor=caller().name, fault=fault, note=note)


def _again(name: str, form: str, objection: str, status: int) -> ResponseReturnValue:
    return page(name, Form(name=form, objection=objection, typed=request.form), status)


def _back(name: str, part: str) -> ResponseReturnValue:
    return redirect(url_for("machine.show", name=name, _anchor=part, **link()), 303)
