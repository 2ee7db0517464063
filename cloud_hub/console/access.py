"""Who may look: whoever has the link. There is no password to guess and none to forget.

A secret is drawn at the first start and kept for the hub's user alone. The link
carries it once; from then on a signed cookie does. Programs send it as a bearer
token. Every POST of a browser needs the token of its own session besides.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, render_template, request, session
from flask.typing import ResponseReturnValue

from cloud_hub.config import HubConfig
from cloud_hub.files import locked, write_private

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_TO_ALL = frozenset({"access.enter", "health.healthz", "icon", "static"})

pages = Blueprint("access", __name__)


def secret(config: HubConfig) -> str:
    """The hub's access secret, drawn if there is none; safe to call from several processes."""
    place = _place(config)
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.with_name("console-secret.lock")):
        if not place.exists():
            write_private(place, secrets.token_urlsafe(32).encode())
        return place.read_text().strip()


def link(config: HubConfig) -> str:
    """What a person opens to be let in: the running hub's console with its secret."""
    return f"{config.endpoints().console_url}/open?key={secret(config)}"


def guard(app: Flask, config: HubConfig) -> None:
    """Let nobody in without the secret, and no form through without its token."""
    key = secret(config)
    app.config["ACCESS_KEY"] = key
    app.secret_key = hashlib.sha256(b"andon console session\0" + key.encode()).digest()
    name = hashlib.sha256(app.secret_key).hexdigest()[:8]
    app.config.update(
        SESSION_COOKIE_NAME=f"andon-{name}",  # cookies know no ports: two hubs on one host keep theirs apart
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=config.web.certificate is not None,
    )
    app.register_blueprint(pages)
    app.before_request(_check)
    app.context_processor(lambda: {"csrf": session.get("csrf", "")})


@pages.get("/open")
def enter() -> ResponseReturnValue:
    """Trade the link for a session. Not a redirect: a Strict cookie would not follow one from elsewhere."""
    if not _is_key(request.args.get("key", "")):
        return _closed()
    session.clear()
    session["open"] = True
    session["csrf"] = secrets.token_urlsafe(24)
    return render_template("entered.html")


def _check() -> ResponseReturnValue | None:
    if request.endpoint in OPEN_TO_ALL:
        return None
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer" and _is_key(token):
        return None
    if not session.get("open"):
        return _closed()
    if request.method not in SAFE and not _same(request.form.get("csrf", ""), session.get("csrf", "")):
        sentence = "This form is no longer valid: open the page again and repeat what you wanted."
        return _answer("Not done", sentence, 403)
    return None


def _closed() -> ResponseReturnValue:
    return _answer("closed", "Open the link that `andon hub run` printed; it lets this browser in.", 401)


def _answer(title: str, sentence: str, status: int) -> ResponseReturnValue:
    if request.path.startswith(("/api/", "/events", "/metrics")):
        return {"error": sentence}, status
    if status == 401:
        return Response(render_template("closed.html"), status)
    return Response(render_template("problem.html", title=title, sentence=sentence), status)


def _is_key(given: str) -> bool:
    return _same(given, current_app.config["ACCESS_KEY"])


def _same(given: str, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def _place(config: HubConfig) -> Path:
    return config.state_dir / "run" / "console-secret"
