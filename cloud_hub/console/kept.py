"""What somebody typed when their session had ended: shown again after signing in, never just carried out."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue

from cloud_hub.console.here import hub, office
from cloud_hub.identity.people.sessions import Session

ENDED = "Your session has ended, so nothing was done. Sign in: your form comes back as you typed it."
AGAIN = "Your session had ended when you sent this, so nothing was done. Here it is as you typed it."
LARGEST = 16 << 10  # bytes, as JSON; longer forms have to be typed again
LONGEST_PATH = 8192  # a link may carry a whole form


def typed() -> dict[str, str]:
    """The form at hand, several values of one name a line each, and what its route names; no secrets."""
    fields = {name: "\n".join(values) for name, values in request.form.lists() if not _is_secret(name)}
    return fields | {name: str(value) for name, value in (request.view_args or {}).items()}


def shown() -> Mapping[str, Any]:
    """What a page's form shall show because it was typed before; empty otherwise."""
    found: Mapping[str, Any] = g.get("kept") or {}
    return found


def bring_back(session: Session) -> None:
    """Have the page at hand show what the session keeps for it, this once."""
    if session.kept and request.method == "GET" and session.kept.get("path") == request.path:
        g.kept = session.kept["fields"]
        office().sessions.take_kept(session)


def login_page(
    *,
    path: str,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
    objection: str = "",
    name: str = "",
) -> ResponseReturnValue:
    """Where to sign in, and go on to ``path`` afterwards with what was ``typed``."""
    carried = json.dumps(dict(typed)) if typed else ""
    page = render_template(
        "login.html",
        path=local_path(path),
        typed=carried if len(carried.encode()) <= LARGEST else "",
        objection=objection,
        name=name,
        empty=not office().accounts.has_admin(),
        sso=hub().config.web.sso,
    )
    return Response(page, status)


def carried(path: str) -> dict[str, Any] | None:
    """What a login page brings along for ``path``; None for nothing, and for what no login page made."""
    text = request.form.get("typed", "")
    if not text or len(text.encode()) > LARGEST:
        return None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    found = {"path": unquote(urlsplit(path).path), "fields": fields}
    return found if all(map(_is_text, (found["path"], *fields, *fields.values()))) else None


def local_path(text: str) -> str:
    """``text`` if it is a path of this console, else the first page: nobody is led elsewhere."""
    plain = text.isprintable() and "\\" not in text and len(text) <= LONGEST_PATH
    if not plain or not text.startswith("/") or text.startswith("//"):
        return "/"
    parts = urlsplit(text)
    if parts.scheme or parts.netloc or parts.path.startswith(("/login", "/open", "/logout")):
        return "/"
    return text.rstrip("?")


def _is_text(value: object) -> bool:
    """Whether the database can keep it: JSON can name NUL, and halves of characters."""
    return isinstance(value, str) and "\0" not in value and value == value.encode(errors="replace").decode()


def _is_secret(name: str) -> bool:
    return name == "csrf" or "password" in name
