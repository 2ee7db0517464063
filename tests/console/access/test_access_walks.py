"""Promises that hold on every route there is, whoever adds the next: forms, sites, heads of answers, and sent twice."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import repeat

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from cloud_hub.console import gate
from cloud_hub.console.headers import ALWAYS
from cloud_hub.hub import Hub
from tests.console.access.test_access_hostile import paths, routes
from tests.console.console_people import Browser, token
from tests.console.two_sites import planted

Enter = Callable[..., Browser]
ELSEWHERE = {"machine": "pump-5", "device": "cell-3"}  # at tours
HERE = {"machine": "pump-1", "device": "cell-1"}  # at lyon
MARKS = "SELECT (SELECT count(*) FROM audit) AS audit, (SELECT count(*) FROM label) AS label"


@pytest.fixture(scope="module")
def plant(database_url: str, migrated_template: str) -> Iterator[Hub]:
    """A plant of its own: forms are carried out here."""
    with planted(database_url, migrated_template) as hub:
        yield hub


def marks(hub: Hub) -> object:
    return hub.database.row(MARKS)


def forms(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in routes(app, "POST"):
        yield rule, next(paths(app, rule, repeat("x")))


def test_no_form_does_anything_without_the_token_of_its_session(app: Flask, enter: Enter, hub: Hub) -> None:
    browser, other = enter("mira", "admin"), enter("mira", "admin")
    foreign, before, walked = token(other.client, "/account"), marks(hub), 0
    for rule, path in forms(app):
        for told in (
            {},
            {"csrf": ""},
            {"csrf": "x" * 43},
            {"csrf": foreign},
            {"csrf": foreign[:-1] + "\u00e9"},
        ):
            answer = browser.client.post(path, data={"reason": "x", "name": "wren", "role": "admin"} | told)
            assert answer.status_code in (403, 404), (rule, told, answer.status_code)
            assert marks(hub) == before, rule
            walked += 1
    assert walked >= 80
    assert browser.client.get("/account").status_code == 200  # nobody was signed out, either


def test_no_form_does_anything_that_another_site_sends(app: Flask, enter: Enter, hub: Hub) -> None:
    browser = enter("mira", "admin")
    for rule, path in forms(app):
        door = "/login" if rule.endpoint.startswith(("login.", "sso.")) else "/account"
        csrf, before = {"csrf": token(browser.client, door), "reason": "x"}, marks(hub)
        for sent in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
            answer = browser.client.post(path, data=csrf, headers=sent)
            assert answer.status_code in (403, 404), (rule, sent, answer.status_code)
        assert marks(hub) == before, rule


@pytest.mark.parametrize("roles", [("admin@lyon",), ("operator@lyon", "engineer@lyon"), ("viewer@lyon",)])
def test_what_is_at_another_site_answers_as_what_is_nowhere(
    app: Flask, enter: Enter, hub: Hub, roles: tuple[str, ...]
) -> None:
    """The same words, the same status, the same heads; so nobody can try names."""
    browser, walked = enter("lea", *roles), 0
    csrf = token(browser.client, "/account")
    before = marks(hub)
    for rule in app.url_map.iter_rules():
        need = gate.need_of(app, rule.endpoint)
        kind = need.of.__name__ if need and need.of else ""
        if kind not in ELSEWHERE:
            continue
        acts = (
            set() if need.token_only else {"POST"}
        )  # a session is refused those before anything is looked up
        for method in ({"GET"} | acts) & set(rule.methods or ()):
            told = [
                browser.client.open(
                    _named(app, rule, name), method=method, data={"csrf": csrf} if method == "POST" else None
                )
                for name in (ELSEWHERE[kind], "no-such")
            ]
            assert [each.status_code for each in told] == [404, 404], (rule, method)
            there, nowhere = (re.sub(r'datetime="[^"]+"|\d\d:\d\d', "", each.text) for each in told)
            assert there.replace(ELSEWHERE[kind], "no-such") == nowhere, (rule, method)
            assert sorted(told[0].headers.keys()) == sorted(told[1].headers.keys())
            walked += 1
    assert walked >= 10
    assert marks(hub) == before


def test_every_answer_has_the_heads_that_keep_it_safe(
    app: Flask, client: FlaskClient, stranger: FlaskClient
) -> None:
    """Whatever its status: pages, refusals, files, what is not there and what is too large."""
    asked = [(path, "GET") for rule in routes(app, "GET") for path in [next(paths(app, rule, repeat("x")))]]
    asked += [
        ("/static/andon.css", "GET"),
        ("/static/nope.js", "GET"),
        ("/nope", "GET"),
        ("/", "DELETE"),
        ("/?page=x", "GET"),
    ]
    seen = set()
    for path, method in asked:
        for who in (client, stranger):
            with who.open(path, method=method) as answer:
                _check_heads(answer, path)
                seen.add(answer.status_code)
    with client.post("/people", data={"csrf": "x" * 100_000}) as answer:
        _check_heads(answer, "/people")
        seen.add(answer.status_code)
    assert {200, 400, 401, 403, 404, 405, 413} <= seen


def _named(app: Flask, rule: Rule, name: str) -> str:
    known = {"alarm": 1, "act": "pause", "use_case": "motor-health", "version": 2, "name": name}
    return app.url_map.bind("localhost").build(
        rule.endpoint, {each: known.get(each, "1") for each in rule.arguments}
    )


def _check_heads(answer, path: str) -> None:
    for name, value in ALWAYS.items():
        assert answer.headers.get(name) == value, (path, answer.status_code, name)
    private = "no-store" in answer.headers.get("Cache-Control", "")
    assert private or (path.startswith("/static/") and answer.status_code in (200, 304)), (
        path,
        answer.status_code,
    )
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert "HttpOnly" in cookie, (path, cookie)
        assert "SameSite=Strict" in cookie or ("-away=" in cookie and "SameSite=Lax" in cookie), (
            path,
            cookie,
        )
    if answer.mimetype == "text/html" and path != "/static/nope.js":
        assert "<script>" not in answer.text
        assert " style=" not in answer.text


TWICE = (  # page, path, fields, and what the second answer says
    ("/people", "/people", {"name": "wren", "role": "viewer"}, "somebody named wren already"),
    ("/people", "/people/wren/give", {"role": "operator", "at": "@lyon"}, ""),
    ("/people", "/people/wren/take", {"role": "operator@lyon"}, ""),
    ("/people", "/people/wren/disable", {}, ""),
    ("/people", "/people/wren/enable", {}, ""),
    ("/account", "/account/tokens", {"name": "bot", "scope": "see", "days": "7"}, "No token was made"),
    ("/account", "/account/tokens/revoke", {"token": "bot"}, ""),
    ("/rollouts/{rollout}", "/rollouts/{rollout}/pause", {"reason": "smoke"}, "Nothing was changed"),
    ("/rollouts/{rollout}", "/rollouts/{rollout}/resume", {}, "Nothing was changed"),
    ("/rollouts/{rollout}", "/rollouts/{rollout}/abort", {"reason": "smoke"}, "Nothing was changed"),
    (
        "/machines/pump-1",
        "/machines/pump-1/alarms/{alarm}/verdict",
        {"verdict": "right"},
        "nothing was changed",
    ),
    (
        "/machines/pump-1",
        "/machines/pump-1/log",
        {"kind": "failure", "time": "{yesterday}", "zone": "UTC"},
        "Nothing was changed",
    ),
)


def test_a_form_that_is_sent_twice_changes_nothing_twice_and_says_so(
    enter: Enter, hub: Hub, rollout: str
) -> None:
    """By a double click, or by the button back."""
    browser = enter("mira", "admin")
    alarm = hub.database.row(
        "SELECT alarm.id FROM alarm JOIN machine ON machine.id = alarm.machine WHERE name = 'pump-1'"
    )
    assert alarm
    yesterday = f"{hub.clock.now() - timedelta(days=1):%Y-%m-%dT%H:%M}"
    for place, action, fields, said in TWICE:
        page, path = (each.format(rollout=rollout, alarm=alarm["id"]) for each in (place, action))
        typed = {name: value.format(yesterday=yesterday) for name, value in fields.items()}
        form = {"csrf": token(browser.client, page)} | typed
        first = browser.client.post(path, data=form, follow_redirects=True)
        assert first.status_code == 200, (path, first.status_code, first.text[-500:])
        after = marks(hub)
        second = browser.client.post(path, data=form, follow_redirects=True)
        assert second.status_code in (200, 400, 409), (path, second.status_code)
        assert marks(hub) == after, f"{path} did something again"
        assert said or 'role="status"' in second.text or 'role="alert"' in second.text, path
        assert said in second.text, path
    hub.database.execute("DELETE FROM label WHERE source = 'mira'")  # other tests share this plant


KEPT = (  # where it is sent, what was typed, and how the page shows it
    (
        "/account/tokens",
        {"name": "bot", "scope": ["see", "metrics"], "days": "30"},
        ('value="bot"', 'value="metrics" checked', 'value="see" checked', '<option value="30" selected'),
    ),
    (
        "/account/tokens",
        {"name": "bot", "scope": ["metrics"], "days": "7"},
        ('value="see"> see', '<option value="7" selected'),
    ),
    (
        "/people",
        {"name": "wren", "role": "engineer", "at": "@tours"},
        ('value="wren"', '<option value="engineer" selected', '<option value="@tours" selected'),
    ),
    ("/devices/cell-1/token", {"hours": "168"}, ('<option value="168" selected',)),
    (
        "/enrol",
        {
            "name": "p-1",
            "site": "tours",
            "profile": "generic-x86",
            "zone": "Asia/Tokyo",
            "tags": "a, b",
            "hours": "1",
        },
        ('value="p-1"', 'value="tours"', 'value="Asia/Tokyo"', 'value="a, b"', '<option value="1" selected'),
    ),
    ("/devices/cell-1/retire", {"reason": "scrapped"}, ('value="scrapped"',)),
    ("/rollouts/{rollout}/abort", {"reason": "smoke"}, ('value="smoke"',)),
    (
        "/machines/pump-1/log",
        {
            "kind": "maintenance",
            "time": "2026-01-02T03:04",
            "zone": "Europe/Paris",
            "fault": "bearing",
            "note": "it sang",
        },
        (
            'value="maintenance" required checked',
            'value="2026-01-02T03:04"',
            'value="it sang"',
            '<option value="Europe/Paris" selected',
        ),
    ),
    (
        "/machines/pump-1/alarms/{alarm}/verdict",
        {"verdict": "wrong", "note": "it was sound"},
        ('value="wrong" required checked', 'value="it was sound"'),
    ),
)


@pytest.mark.parametrize("which", range(len(KEPT)))
def test_every_choice_of_a_form_is_kept_when_its_session_ended_meanwhile(
    app: Flask, enter: Enter, hub: Hub, rollout: str, which: int
) -> None:
    sent, fields, shown = KEPT[which]
    alarm = hub.database.row(
        "SELECT alarm.id FROM alarm JOIN machine ON machine.id = alarm.machine WHERE name = 'pump-1'"
    )
    assert alarm
    path = sent.format(rollout=rollout, alarm=alarm["id"])
    browser, before = enter("mira", "admin"), marks(hub)
    answer = browser.client.post(path, data={"csrf": "of an earlier session"} | fields)
    assert answer.status_code == 403
    assert "nothing was done" in answer.text
    for each in shown:
        assert each in answer.text, each
    door = app.test_client().post(path, data=fields)
    assert door.status_code == 401
    typed = re.search(r'name="typed" value="([^"]+)"', door.text)
    assert typed
    for value in fields.values():
        assert (value if isinstance(value, str) else value[0]) in typed[1]
    assert marks(hub) == before
