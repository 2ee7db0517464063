"""Signing in and out, and the links that let somebody in once."""

import ipaddress
import math
from collections.abc import Mapping
from typing import Any

import structlog
from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import cookies, kept
from cloud_hub.console.answers import problem
from cloud_hub.console.gate import needs, open_to_all
from cloud_hub.console.here import hub, office
from cloud_hub.errors import ConflictError, TrustError
from cloud_hub.identity.people.links import Link, Purpose
from cloud_hub.identity.people.login import Attempt, Outcome
from cloud_hub.identity.people.permissions import Permission

WRONG = "That name and password do not belong together."
LONGEST_NAME = 64

pages = Blueprint("login", __name__)
log = structlog.get_logger()


@pages.get("/login")
@open_to_all
def show() -> ResponseReturnValue:
    return kept.login_page(path=request.args.get("next", "/"))


@pages.post("/login")
@open_to_all
def enter() -> ResponseReturnValue:
    """Open a session under a secret that nobody has seen, or say the same whatever was wrong."""
    path = kept.local_path(request.form.get("next", "/"))
    name = request.form.get("name", "").strip()[:LONGEST_NAME]
    address = request.remote_addr or ""
    known = cookies.known_as(name)
    tried = Attempt(name=name, password=request.form.get("password", ""), address=address, browser=known)
    outcome = office().login.attempt(tried)
    if outcome.person is not None and _is_in(outcome, path):
        log.info("signed in", person=outcome.name, address=address)
        cookies.remember(name)
        return redirect(path, 303)
    if outcome.wait_s:
        seconds = math.ceil(outcome.wait_s)
        return _again(path, f"Too many tries: the next one counts in {seconds} s.", 429, name, seconds)
    log.warning("sign-in refused", person=outcome.name, address=address)  # a stranger's may be a password
    return _again(path, WRONG, 401, name)


@pages.post("/logout")
@needs(Permission.ACCOUNT)
def leave() -> ResponseReturnValue:
    office().sessions.end(cookies.session_secret())
    cookies.drop_session()
    return redirect("/login", 303)


@pages.get("/open")
@open_to_all
def look() -> ResponseReturnValue:
    """What a link is for. It is used by the form on this page, not by looking at it."""
    try:
        return _link_page(office().links.look(request.args.get("link", "")))
    except TrustError as error:
        return _opens_nothing(error)


@pages.post("/open")
@open_to_all
def use() -> ResponseReturnValue:
    secret, name = request.form.get("link", ""), request.form.get("name", "").strip()
    try:
        link = office().links.look(secret)
        try:
            person = _used(link, secret, name)
        except ConflictError as error:
            return Response(_link_page(link, objection=f"{error}.", name=name), 400)
        let_in(person)
    except TrustError as error:
        return _opens_nothing(error)
    cookies.remember(link.name or name)
    return redirect("/", 303)


def _used(link: Link, secret: str, name: str) -> int:
    """The id of whom ``secret`` lets in; ``ConflictError`` for a form that was not filled in right."""
    if link.purpose is Purpose.SIGN_IN:
        _check_loopback()
        person = office().links.sign_in(secret).person
        assert person is not None
        return person
    password = request.form.get("password", "")
    if password != request.form.get("password-again", ""):
        raise ConflictError("the two passwords differ")
    if link.purpose is Purpose.PASSWORD:
        return office().links.choose_password(secret, password, office().passwords)
    return office().links.make_first_admin(secret, name, password, office().passwords)


def _check_loopback() -> None:
    """Whoever is on this machine may show a demonstration on it; nobody else."""
    try:
        here = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        here = False
    if not (here and hub().config.web.is_loopback):
        raise TrustError("a link that signs in without a password works on the hub's own machine alone")


def _is_in(outcome: Outcome, path: str) -> bool:
    """Whether who signs in is let in; not where the password is another by now, or the person disabled."""
    assert outcome.person is not None
    try:
        let_in(outcome.person, kept.carried(path), checked=outcome.checked)
    except TrustError:
        return False
    return True


def let_in(person: int, form: Mapping[str, Any] | None = None, *, checked: str | None = None) -> None:
    """A new session, which keeps ``form``; the one this browser had ends, and nothing of it goes over.

    ``TrustError`` where the person is disabled by now, or has another password than was ``checked``.
    """
    office().sessions.end(cookies.session_secret())
    secret = office().sessions.open(person, kept=form, checked=checked)
    cookies.give_session(secret, office().sessions.lifetime.total_seconds())


def _again(path: str, objection: str, status: int, name: str, wait_s: int = 0) -> ResponseReturnValue:
    found = kept.carried(path)
    typed = found["fields"] if found else None
    page = kept.login_page(path=path, typed=typed, status=status, objection=objection, name=name)
    if wait_s and isinstance(page, Response):
        page.headers["Retry-After"] = str(wait_s)
    return page


def _link_page(link: Link, *, objection: str = "", name: str = "") -> str:
    return render_template(
        "link.html",
        link=link,
        secret=request.values.get("link", ""),
        objection=objection[:1].upper() + objection[1:],
        name=name,
    )


def _opens_nothing(error: TrustError) -> ResponseReturnValue:
    text = str(error)
    sentence = f"{text[:1].upper()}{text[1:]}. `andon hub person reset NAME` at the hub makes another link."
    return problem("This link opens nothing", sentence, 403)
