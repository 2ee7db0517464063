"""Rollouts: how far, how well, why; and the acts of a person, each on the record."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from cloud_hub.console import kept, listing, reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.console.rollouts.acting import NEEDED, NEEDS_REASON, ReasonError, act_on
from cloud_hub.console.rollouts.rollout_view import look
from cloud_hub.errors import ConflictError
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.rollout import listed

SIZE = 20  # rollouts on a page: each may have thousands of devices to count

pages = Blueprint("rollout", __name__, url_prefix="/rollouts")


@pages.get("")
@needs(Permission.SEE)
def index() -> ResponseReturnValue:
    database, sites = hub().database, seen_sites()
    asked = listing.asked(listed.FILTERS, {"state": listed.STATES})
    counts, use_cases = listed.counts(database, asked, sites=sites)
    states = (asked["state"],) if asked["state"] else listed.STATES
    total = sum(counts.get(state, 0) for state in states)
    part = listing.Part(asked=listing.page_number(), total=total, size=SIZE)
    return render_template(
        "rollouts.html",
        asked=asked,
        part=part,
        link=listing.link,
        rollouts=listed.page(database, asked, size=part.size, offset=part.offset, sites=sites),
        counts=counts,
        use_cases=use_cases,
        state_names=listed.STATES,
    )


@pages.get("/<name>")
@needs(Permission.SEE, of=reach.rollout)
def show(name: str) -> ResponseReturnValue:
    typed = kept.shown()
    objection = kept.AGAIN if typed else ""
    return _page(name, act=typed.get("act", ""), objection=objection, typed=typed.get("reason", ""))


@pages.post("/<name>/<act>")
@needs(NEEDED, of=reach.rollout, form="rollout.show")
def act(name: str, act: str) -> ResponseReturnValue:
    """Do what a button said; what cannot be done changes nothing and says why."""
    reason = request.form.get("reason", "")
    try:
        flash(act_on(name, act, reason, wave=_wave(request.form.get("wave", ""))))
    except ReasonError as error:
        return _page(name, act=act, objection=str(error), typed=reason.strip()), 400
    except ConflictError as error:
        return _page(name, act=act, objection=f"Nothing was changed: {error}.", typed=reason), 409
    return redirect(url_for("rollout.show", name=name), 303)


def _wave(text: str) -> int | None:
    """The wave that a form shows to whoever approves it; None for one that shows none."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadRequest(f"Expected the number of a wave, got {text[:40]!r}.")
    return int(text)


def _page(name: str, *, act: str = "", objection: str = "", typed: str = "") -> str:
    shown = look(name, caller().rights)
    return render_template(
        "rollout.html",
        shown=shown,
        rollout=shown.rollout,
        act=act,
        objection=objection,
        typed=typed,
        needs_reason=NEEDS_REASON,
    )
