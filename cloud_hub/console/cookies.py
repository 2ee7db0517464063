"""What a browser carries: the secret of a session, the token of its forms, and that it was here before.

Cookies know no ports, so their names tell two hubs on one host apart. All are Strict and
out of reach of scripts, and Secure wherever the console speaks TLS. The key that signs is
drawn at the first start and kept for the hub's user alone; nobody is let in by it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from cloud_hub.config import HubConfig
from cloud_hub.files import locked, write_private

LONGEST = 128  # of a cookie that is looked at
YEAR_S = 366 * 86400


def prepare(app: Flask, config: HubConfig) -> None:
    """Name and sign this hub's cookies, and set those that a request asked for."""
    secure = config.web.certificate is not None
    key = hashlib.sha256(b"andon console\0" + _secret(config).encode()).digest()
    name = f"{'__Host-' if secure else ''}andon-{hashlib.sha256(key).hexdigest()[:8]}"
    app.secret_key = key
    app.config.update(
        ANDON_COOKIE=name,
        SESSION_COOKIE_NAME=f"{name}-said",  # Flask's own: one sentence until the next page
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=secure,
    )
    app.after_request(_set)


def session_secret() -> str:
    """The secret of the session this request belongs to; empty for none."""
    given: str = g.get("session_secret") or _read("")
    return given


def give_session(secret: str, lifetime_s: float) -> None:
    """Let the browser carry ``secret`` from now on, and let forms be made for it."""
    g.session_secret = secret
    _later("", secret, int(lifetime_s))


def drop_session() -> None:
    """Let the browser forget its session."""
    _later("", "", 0)


def form_token() -> str:
    """What every form has to bring back: of the session, or of a browser that is not in yet."""
    return _signed("form", session_secret() if g.get("caller") else _door())


def form_token_fits(given: str, *, signed_in: bool) -> bool:
    carried = _read("") if signed_in else _read("-door")
    return bool(carried) and hmac.compare_digest(given.encode(), _signed("form", carried).encode())


def known_as(name: str) -> str:
    """What tells this browser apart if ``name`` was signed in by it before; else empty."""
    mark, _, seal = _read("-known").partition(".")
    fits = hmac.compare_digest(seal.encode(), _signed("known", f"{name}\0{mark}").encode())
    return mark if mark and fits else ""


def remember(name: str) -> None:
    """``name`` has signed in by this browser."""
    mark = secrets.token_urlsafe(12)
    _later("-known", f"{mark}.{_signed('known', f'{name}{chr(0)}{mark}')}", YEAR_S)


def hold(what: Mapping[str, Any], lifetime_s: int) -> None:
    """Let the browser carry ``what``, signed, to another site and back; this one cookie comes from there."""
    _later("-away", URLSafeTimedSerializer(_key(), salt="away").dumps(dict(what)), lifetime_s)


def held(lifetime_s: int) -> dict[str, Any] | None:
    """What :func:`hold` was given, if this browser brings it back in time."""
    given = request.cookies.get(f"{current_app.config['ANDON_COOKIE']}-away", "")
    try:
        found: dict[str, Any] = URLSafeTimedSerializer(_key(), salt="away").loads(given, max_age=lifetime_s)
    except BadSignature:
        return None
    return found


def let_go() -> None:
    """Let the browser forget what it held."""
    _later("-away", "", 0)


def _door() -> str:
    found = g.get("door") or _read("-door")
    if not found:
        found = secrets.token_urlsafe(24)
        _later("-door", found, None)
    g.door = found
    return str(found)


def _read(which: str) -> str:
    given = request.cookies.get(f"{current_app.config['ANDON_COOKIE']}{which}", "")
    return given if len(given) <= LONGEST else ""


def _later(which: str, value: str, lifetime_s: int | None) -> None:
    g.setdefault("cookies", {})[which] = (value, lifetime_s)


def _set(response: Response) -> Response:
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    for which, (value, lifetime_s) in g.get("cookies", {}).items():
        response.set_cookie(
            f"{current_app.config['ANDON_COOKIE']}{which}",
            value,
            max_age=lifetime_s,
            path="/",
            secure=secure,
            httponly=True,
            samesite="Lax" if which == "-away" else "Strict",
        )
    return response


def _signed(purpose: str, text: str) -> str:
    return hmac.new(_key(), f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()[:43]


def _key() -> bytes:
    key = current_app.secret_key
    assert isinstance(key, bytes)
    return key


def _secret(config: HubConfig) -> str:
    """The key's secret, drawn if there is none; safe to call from several processes."""
    place = Path(config.state_dir) / "run" / "console-secret"
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.with_name("console-secret.lock")):
        if not place.exists():
            write_private(place, secrets.token_urlsafe(32).encode())
        return place.read_text().strip()
