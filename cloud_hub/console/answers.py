"""One sentence when something is not as asked: as a page or, for programs, as JSON."""

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

PROGRAMS = ("/api/", "/events", "/metrics", "/healthz", "/readyz")


def bearer() -> str | None:
    """The token that came along, if one did; what a proxy in front authorises by is its own affair."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def wants_words_only() -> bool:
    """Whether a program asks, which has no use for a page."""
    return request.path.startswith(PROGRAMS) or bearer() is not None


def problem(title: str, sentence: str, status: int) -> ResponseReturnValue:
    if wants_words_only():
        return {"error": sentence}, status
    return Response(render_template("problem.html", title=title, sentence=sentence), status)
