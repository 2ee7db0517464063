"""Rollouts: how far, how well, why; and the acts of a person, each on the record."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept, reach
from cloud_hub.console.acting import NEEDED, NEEDS_REASON, ReasonError, act_on
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.errors import ConflictError
from cloud_hub.identity.people.permissions import Permission, roles_with
from cloud_hub.rollout import read
from cloud_hub.rollout.rollouts import TRANSITIONS

MOST_DEVICES = 200  # on a page; those that failed first

pages = Blueprint("rollout", __name__, url_prefix="/rollouts")


@pages.get("")
@needs(Permission.SEE)
def index() -> ResponseReturnValue:
    return render_template("rollouts.html", rollouts=read.rollouts(hub().database, sites=seen_sites()))


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
        flash(act_on(name, act, reason))
    except ReasonError as error:
        return _page(name, act=act, objection=str(error), typed=reason.strip()), 400
    except ConflictError as error:
        return _page(name, act=act, objection=f"Nothing was changed: {error}.", typed=reason), 409
    return redirect(url_for("rollout.show", name=name), 303)


def _page(name: str, *, act: str = "", objection: str = "", typed: str = "") -> str:
    detail = read.rollout(hub().database, name, most=MOST_DEVICES, sites=seen_sites())
    rights, sites = caller().rights, reach.rollout(name)
    possible = [each for each, (begins, _) in TRANSITIONS.items() if detail.rollout.state in begins]
    mine = [each for each in possible if rights.may(NEEDED[each], sites)]
    return render_template(
        "rollout.html",
        detail=detail,
        rollout=detail.rollout,
        possible=mine,
        refused={each: roles_with(NEEDED[each]) for each in possible if each not in mine},
        had=detail.offered,
        act=act,
        objection=objection,
        typed=typed,
        needs_reason=NEEDS_REASON,
    )
