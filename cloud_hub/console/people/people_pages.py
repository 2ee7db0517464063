"""People: who may do what at which site, for those who administer the hub."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from cloud_hub.console import kept
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, office
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.identity.people.permissions import Grant, Permission, Role

pages = Blueprint("people", __name__, url_prefix="/people")


@pages.get("")
@needs(Permission.PEOPLE)
def index() -> ResponseReturnValue:
    typed = kept.shown()
    added = {} if "act" in typed else typed  # a button typed nothing
    return _page(objection=kept.AGAIN if typed else "", typed=added)


@pages.post("")
@needs(Permission.PEOPLE, form="people.index")
def add() -> ResponseReturnValue:
    """The page that answers shows the link by which they choose a password."""
    name = request.form.get("name", "").strip()
    try:
        office().accounts.add(name, [_grant()], by=caller().name)
        return _page(invited=name, link=_link(name))
    except (ConflictError, NotFoundError) as error:
        return Response(_page(objection=f"Nobody was added: {error}.", typed=kept.typed()), 400)


@pages.post("/<name>/<act>")
@needs(Permission.PEOPLE, form="people.index")
def act(name: str, act: str) -> ResponseReturnValue:
    if act not in ACTS:
        raise NotFound
    try:
        said = ACTS[act](name)
    except ConflictError as error:
        return Response(_page(objection=f"Nothing was changed: {error}."), 409)
    if act == "reset":
        return _page(invited=name, link=said)
    flash(said)
    return redirect(url_for("people.index"), 303)


def _give(name: str) -> str:
    grant = _grant()
    office().accounts.give(name, grant, by=caller().name)
    return f"{name} is {grant.role} {_where(grant)} now."


def _take(name: str) -> str:
    grant = _grant()
    office().accounts.take(name, grant, by=caller().name)
    return f"{name} is {grant.role} {_where(grant)} no more."


def _disable(name: str) -> str:
    office().accounts.disable(name, by=caller().name)
    return f"{name} is let in no more; sessions, tokens and links of theirs have ended."


def _enable(name: str) -> str:
    office().accounts.enable(name, by=caller().name)
    return f"{name} may sign in again."


def _sign_out(name: str) -> str:
    ended = office().accounts.sign_out(name, by=caller().name)
    return f"{name} is signed out; sessions that ended: {ended}."


def _link(name: str) -> str:
    secret = office().links.invite(name, by=caller().name)
    return url_for("login.look", link=secret, _external=True)


ACTS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "give": _give,
        "take": _take,
        "disable": _disable,
        "enable": _enable,
        "sign-out": _sign_out,
        "reset": _link,
    }
)


def _grant() -> Grant:
    try:
        return Grant.parse(request.form.get("role", "") + request.form.get("at", ""))
    except ValueError as error:
        raise ConflictError(str(error)) from error


def _where(grant: Grant) -> str:
    return f"at {grant.site}" if grant.site else "at every site"


def _page(
    *, objection: str = "", typed: Mapping[str, str] | None = None, invited: str = "", link: str = ""
) -> str:
    return render_template(
        "people.html",
        people=office().accounts.everyone(),
        roles=list(Role),
        sites=office().accounts.sites(),
        objection=objection,
        typed=typed or {},
        invited=invited,
        link=link,
    )
