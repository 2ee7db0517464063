"""Signing in by the provider of single sign-on that the hub is configured for; none, no pages.

The browser is sent away by a page and not by a redirect, as a form may lead to this
console alone; and it comes back into one, as a Strict cookie follows nobody from elsewhere.
"""

import json
import shlex
import time
from typing import TYPE_CHECKING, Any

import structlog
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from cloud_hub.console import cookies, kept
from cloud_hub.console.answers import problem
from cloud_hub.console.gate import open_to_all
from cloud_hub.console.here import hub, office
from cloud_hub.console.people.login_pages import let_in
from cloud_hub.errors import TrustError

if TYPE_CHECKING:
    from cloud_hub.identity.people.sso import Provider

AWAY_S = 600  # for signing in over there
LARGEST_KEPT = 1500  # bytes of a form that go along, in a cookie

pages = Blueprint("sso", __name__)
log = structlog.get_logger()


@pages.post("/login/sso")
@open_to_all
def leave() -> ResponseReturnValue:
    asked = _provider().ask()
    path = kept.local_path(request.form.get("next", "/"))
    form = kept.carried(path)
    if form and len(json.dumps(form)) > LARGEST_KEPT:
        form = None
    cookies.hold({"asked": asked.secrets(), "path": path, "kept": form}, AWAY_S)
    return render_template("entered.html", path=asked.url)


@pages.get("/login/sso/back")
@open_to_all
def come_back() -> ResponseReturnValue:
    """A session for whom the provider names, if that is somebody here; the question counts once."""
    held: dict[str, Any] = cookies.held(AWAY_S) or {}
    cookies.let_go()
    try:
        if not held:
            raise TrustError("this browser asked nothing, or too long ago: sign in again")
        state, code = (request.args.get(name, "") for name in ("state", "code"))
        subject = _provider().subject(held["asked"], state=state, code=code)
    except TrustError as error:
        log.warning("sign-in refused", reason=str(error), address=request.remote_addr)
        return problem("Not signed in", f"{str(error)[:1].upper()}{str(error)[1:]}.", 403)
    person = office().accounts.by_sso(hub().config.web.sso.issuer, subject)
    if person is None:
        sentence = (
            f"The provider calls you {subject!r}, and nobody here is linked to that. "
            f"Whoever administers this hub does it by `andon hub person sso NAME {shlex.quote(subject)}`."
        )
        return problem("Not signed in", sentence, 403)
    log.info("signed in", person=person.name, address=request.remote_addr, by="sso")
    let_in(person.id, held["kept"])
    return render_template("entered.html", path=kept.local_path(held["path"]))


def _provider() -> "Provider":
    settings = hub().config.web.sso
    if not settings.issuer:
        raise NotFound
    from cloud_hub.identity.people.sso import Provider  # noqa: PLC0415 - its libraries, where there is one

    return Provider(settings, seconds=lambda: int(time.time()))
