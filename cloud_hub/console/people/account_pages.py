"""One's own account: tokens for programs, another password, and signing out everywhere."""

from collections.abc import Mapping

from flask import Blueprint, Response, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import cookies, kept
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, office
from cloud_hub.console.sentences import one_line
from cloud_hub.errors import ConflictError
from cloud_hub.identity.people.permissions import NEVER_BY_TOKEN, Permission

DAYS = (7, 30, 90, 366)
USUAL_DAYS = 90

pages = Blueprint("account", __name__, url_prefix="/account")


@pages.get("")
@needs(Permission.ACCOUNT)
def show() -> ResponseReturnValue:
    typed = kept.shown()
    return _page(objection=kept.AGAIN if typed else "", typed=typed)


@pages.post("/tokens")
@needs(Permission.ACCOUNT, form="account.show")
def make_token() -> ResponseReturnValue:
    """The page that answers is the only place where the token ever stands."""
    name, person = one_line(request.form.get("name", "")), caller().name
    try:
        scopes = [Permission(scope) for scope in request.form.getlist("scope")]
        days = int(request.form.get("days", ""))
        made = office().tokens.make(person, name, scopes, days=days, by=person)
    except ConflictError as error:
        return Response(_page(objection=f"No token was made: {error}.", typed=kept.typed()), 400)
    except ValueError:
        objection = "No token was made: choose scopes and days of the list."
        return Response(_page(objection=objection, typed=kept.typed()), 400)
    return _page(made=made)


@pages.post("/tokens/revoke")
@needs(Permission.ACCOUNT, form="account.show")
def revoke_token() -> ResponseReturnValue:
    name = request.form.get("token", "")
    try:
        office().tokens.revoke(caller().name, name, by=caller().name)
    except ConflictError as error:
        return Response(_page(objection=f"Nothing was changed: {error}."), 409)
    flash(f"{name} opens nothing any more.")
    return redirect("/account", 303)


@pages.post("/sign-out-everywhere")
@needs(Permission.ACCOUNT, form="account.show")
def leave_everywhere() -> ResponseReturnValue:
    office().accounts.sign_out(caller().name, by=caller().name)
    cookies.drop_session()
    return redirect("/login", 303)


@pages.post("/password")
@needs(Permission.ACCOUNT, form="account.show")
def change_password() -> ResponseReturnValue:
    """Ends every other session, token and link; this session goes on under another secret."""
    fresh = request.form.get("password", "")
    try:
        if fresh != request.form.get("password-again", ""):
            raise ConflictError("the two passwords differ")
        old, address = request.form.get("password-now", ""), request.remote_addr or ""
        found = office().change_password(caller().name, old, fresh, address=address)
        assert found.person is not None
        secret = office().sessions.open(found.person, checked=found.checked)
    except ConflictError as error:
        return Response(_page(objection=f"Nothing was changed: {error}."), 400)
    cookies.give_session(secret, office().sessions.lifetime.total_seconds())
    flash("The password is changed; every other session, token and open link of yours has ended.")
    return redirect("/account", 303)


def _page(*, objection: str = "", typed: Mapping[str, str] | None = None, made: str = "") -> str:
    found, typed = caller(), typed or {}
    return render_template(
        "account.html",
        person=office().accounts.get(found.name),
        tokens=office().tokens.of(found.name),
        scopes=[each for each in Permission if each not in NEVER_BY_TOKEN and found.rights.may(each)],
        days=DAYS,
        objection=objection,
        name=typed.get("name", ""),
        chosen=typed["scope"].splitlines() if "scope" in typed else [Permission.SEE],
        chosen_days=typed.get("days", str(USUAL_DAYS)),
        made=made,
    )
