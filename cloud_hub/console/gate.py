"""Who comes through: every view names the permission it needs, and one that names none opens to nobody.

What somebody may not see answers as if it were not there. A form of a session that has
ended is not carried out and not lost: after signing in it is shown again as it was typed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from flask import Flask, current_app, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from cloud_hub.console import cookies, kept
from cloud_hub.console.answers import bearer, problem, wants_words_only
from cloud_hub.console.here import Caller, check_seen, office
from cloud_hub.console.reach import Sites
from cloud_hub.identity.people.permissions import Permission, roles_with
from cloud_hub.identity.people.sessions import Session

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FILES = frozenset({"static", "icon"})

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


class Finder(Protocol):
    """The sites of a thing by its name."""

    __name__: str

    def __call__(self, name: str) -> Sites: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a view asks of its caller."""

    permission: Permission | Mapping[str, Permission] | None  # by the route's ``act``; None: open to all
    of: Finder | None = None  # whose sites count: what the route's ``name`` names
    form: str = ""  # the endpoint that shows the form which is posted here
    token_only: bool = False  # a session, which a browser sends by itself, does nothing here
    whoever: bool = False  # has been let in, whatever they may do


def needs(
    permission: Permission | Mapping[str, Permission],
    *,
    of: Finder | None = None,
    form: str = "",
    token_only: bool = False,
    whoever: bool = False,
) -> Callable[[View], View]:
    """A view for callers with ``permission``, at the sites that ``of`` finds for what its route names."""
    return _marked(Need(permission=permission, of=of, form=form, token_only=token_only, whoever=whoever))


def open_to_all(view: View) -> View:
    """A view for people who are not signed in, too."""
    return _marked(Need(permission=None))(view)


def need_of(app: Flask, endpoint: str | None) -> Need | None:
    """What the view of ``endpoint`` asks; None where it says nothing, and so opens to nobody."""
    if endpoint in FILES:
        return Need(permission=None)
    return getattr(app.view_functions.get(endpoint or ""), "need", None)


def guard(app: Flask) -> None:
    app.before_request(_check_text)
    app.before_request(_check)


def _marked(need: Need) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.need = need  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


def _check_text() -> ResponseReturnValue | None:
    """Refuse what the database cannot keep, and no path can name, before anything is done with it."""
    told = (*request.args.items(multi=True), *request.form.items(multi=True))
    if "\0" in request.path or any("\0" in text for pair in told for text in pair):
        return problem("Not understood", "Expected text without NUL characters; nothing was done.", 400)
    return None


def _check() -> ResponseReturnValue | None:
    need = need_of(current_app, request.endpoint)
    g.caller = None
    if need and need.permission is None:
        return None if request.method in SAFE or request.endpoint in FILES else _check_stranger()
    g.caller = caller = _caller()
    if caller is None:
        return _sign_in_first(need)
    if need is None:
        return None if request.endpoint is None else _refuse("this page, which says of nobody")
    unsent = _check_sent(need) if caller.session and request.method not in SAFE else None
    refusal = unsent or _refusal(need, caller)
    if refusal is None and caller.session:
        _go_on(caller.session)
    return refusal


def _check_sent(need: Need) -> ResponseReturnValue | None:
    """Whether a person sent this and no other site's page did, which a browser would lend the session to."""
    if need.token_only:
        return problem("Not done", "Actions of the API take a token: make one under Account.", 403)
    if _is_foreign():
        return problem("Not done", "This form was sent by another site's page.", 403)
    if not cookies.form_token_fits(request.form.get("csrf", ""), signed_in=True):
        return _show_again(need)
    return None


def _caller() -> Caller | None:
    """By its token if it shows one, whatever cookies came along; else by its session."""
    token = bearer()
    if token is not None:
        found = office().tokens.find(token)
        return Caller(name=found[0], rights=found[1], session=None) if found else None
    secret = cookies.session_secret()
    session = office().sessions.find(secret) if secret else None
    return Caller(name=session.person, rights=session.rights, session=session) if session else None


def _refusal(need: Need, caller: Caller) -> ResponseReturnValue | None:
    """Why this caller may not; ``NotFoundError`` for what it may not even know of."""
    arguments = request.view_args or {}
    sites: Sites = None
    if need.of:
        sites = need.of(arguments["name"])
        check_seen(need.of.__name__, arguments["name"], sites)
    permission = need.permission
    if need.whoever:
        return None
    if isinstance(permission, Mapping):
        permission = permission.get(arguments["act"])
        if permission is None:
            raise NotFound
    assert permission is not None
    if permission is Permission.SEE and need.of:
        return None
    if permission is Permission.ACCOUNT:
        return None if caller.session else _refuse("an account, which no token may touch")
    if caller.rights.may(permission, sites):
        return None
    everywhere = bool(caller.rights.sites(permission))  # held at a site, and this is about all of them
    where = " at every site that it concerns" if need.of else " at every site" if everywhere else ""
    return _refuse(f"the role {' or '.join(roles_with(permission))}{where}")


def _go_on(session: Session) -> None:
    """Note that its person is there, give it another secret where its rights changed, bring a form back."""
    by_itself = "HX-Request" in request.headers or request.path.startswith("/api/")
    is_live = request.method == "GET" and by_itself
    if not is_live and request.endpoint != "live.events":  # a page that keeps itself current is not a person
        office().sessions.see(session)
        if session.stale:
            fresh = office().sessions.turn(session, cookies.session_secret())
            if fresh is not None:
                cookies.give_session(fresh, office().sessions.lifetime.total_seconds())
    kept.bring_back(session)


def _refuse(what: str) -> ResponseReturnValue:
    sentence = f"This takes {what}; whoever administers this hub gives roles."
    return problem("Not yours to do", sentence, 403)


def _check_stranger() -> ResponseReturnValue | None:
    if _is_foreign():
        return problem("Not done", "This form was sent by another site's page.", 403)
    if cookies.form_token_fits(request.form.get("csrf", ""), signed_in=False):
        return None
    sentence = "This browser keeps no cookies, or the form is old: open the page again and repeat it."
    return problem("Not done", sentence, 403)


def _is_foreign() -> bool:
    """Whether a browser says that another site's page sent this.

    It says so itself where it trusts the way here; elsewhere its ``Origin`` is compared, which a proxy
    that changes ``Host`` would spoil.
    """
    told, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if told is not None:
        return told not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != request.host


def _sign_in_first(need: Need | None) -> ResponseReturnValue:
    if wants_words_only():
        return {"error": "sign in, or send a token"}, 401, {"WWW-Authenticate": "Bearer"}
    if request.method in SAFE and request.headers.get("Sec-Fetch-Site") == "cross-site":
        return render_template("entered.html", path=kept.local_path(request.full_path))
    if request.method in SAFE or _is_foreign():
        return kept.login_page(path=request.full_path, status=401)
    return kept.login_page(path=_form_page(need), typed=kept.typed(), status=401, objection=kept.ENDED)


def _form_page(need: Need | None) -> str:
    return url_for(need.form, **_names(need.form)) if need and need.form else "/"


def _show_again(need: Need) -> ResponseReturnValue:
    """The form's own page with what was typed, for a form of an earlier session of this person."""
    if not need.form:
        return problem("Not done", "This form is no longer valid: open its page again and repeat it.", 403)
    form = need_of(current_app, need.form)
    refusal = _refusal(form, g.caller) if form else None
    if refusal is not None:
        return refusal
    g.kept = kept.typed()
    page: Any = current_app.view_functions[need.form](**_names(need.form))
    shown = current_app.make_response(page)
    shown.status_code = 403
    return shown


def _names(form: str) -> dict[str, Any]:
    """Of what the route names, what the route of ``form`` names as well."""
    wanted = next(current_app.url_map.iter_rules(form)).arguments
    return {name: value for name, value in (request.view_args or {}).items() if name in wanted}
