"""Whatever is asked of whatever route, the answer is in words: no input is a mistake of ours.

Every route that the app has is walked, so a page that is added later is walked as well.
"""

import re
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter, Rule

from cloud_hub.hub import Hub
from tests.console.console_people import Browser, token
from tests.console.two_sites import planted

Enter = Callable[..., Browser]

LONG = "x" * 10_000
HOSTILE = (
    "",
    "\u2028\ufeff\u202e\ud7ff\U0001f525",
    "%ff%fe%00",
    "9e99",
    "nan",
    "-1",
    "99999999999999999999999999999",
    "0001-01-01T00:00",
    "9999-12-31T23:59:59+14:00",
    "../../etc/passwd",
    "a' OR 1=1; DROP TABLE sample --",
    "<script>alert(1)</script>\"'&{{7*7}}",
    "Europe/Paris/../..",
    "10000000d",
    LONG,
)
QUIRKS = (
    "span=own&from=2026-01-02T00:00&to=2026-01-01T00:00&zone=UTC",
    "span=own&from=0001-01-01T00:00&to=9999-12-31T23:59:59&zone=Asia/Tokyo",
    "span=own&from=9e99&to=nan&zone=UTC",
    "span=own",
    "span=1h&span=7d&page=1&page=2&site=lyon&site=tours",
    "text=%ff%fe&site=%c3%28&signals=%80",
    "signals=" + ",".join(["flow"] * 500),
    "a[b]=c&a[b][c]=d&=&&;",
    "%=%zz&text=%u0041",
    "text=" + "%F0%9F%94%A5" * 500,
)
STREAMS = "live.events"  # goes on for ever where it is let in
KINDS = (  # a name that is there, by the folder of the route
    ("/machines/", "pump-1"),
    ("/devices/", "cell-1"),
    ("/models/", "motor-health"),
)


@pytest.fixture(scope="module")
def plant(database_url: str, migrated_template: str) -> Iterator[Hub]:
    """A plant of its own: some of what is sent here is carried out."""
    with planted(database_url, migrated_template) as hub:
        yield hub


def fields_of(app: Flask) -> list[str]:
    """Every name by which a view takes something from a link or a form."""
    found = {"csrf-not"}
    for kind in ("*.py", "*.html"):
        for file in Path(app.root_path).rglob(kind):
            found |= set(
                re.findall(r"""(?:args|form|kept\.shown\(\))\S*?(?:get\(|\[)["']([\w-]+)""", file.read_text())
            )
            found |= set(re.findall(r'name="([\w-]+)"', file.read_text()))
    return sorted(found - {"csrf", "viewport", "color-scheme", "htmx-config"})


def paths(app: Flask, rule: Rule, values: Iterator[str]) -> Iterator[str]:
    """Paths of a route: with what is there, and with what is hostile."""
    known = dict.fromkeys(rule.arguments, "cell-1")
    for folder, name in KINDS:
        if folder in rule.rule:
            known = dict.fromkeys(rule.arguments, name)
    known |= {"version": "2", "use_case": "motor-health", "alarm": "1", "act": "pause"}
    adapter = app.url_map.bind("localhost")
    numbers = {name for name in rule.arguments if isinstance(rule._converters[name], IntegerConverter)}
    fits = {name: "1" if name in numbers - {"version"} else known[name] for name in rule.arguments}
    yield adapter.build(rule.endpoint, fits)
    for name in rule.arguments:
        for value in ("9" * 9, "9" * 40) if name in numbers else ("nope", next(values) or "x"):
            yield adapter.build(rule.endpoint, fits | {name: value.replace("/", "%2f")})


def routes(app: Flask, method: str) -> list[Rule]:
    return [
        rule
        for rule in app.url_map.iter_rules()
        if method in (rule.methods or ()) and rule.endpoint not in ("static", STREAMS)
    ]


def check(answer: Any, asked: str) -> None:
    assert answer.status_code < 500 or answer.status_code == 503, (
        asked,
        answer.status_code,
        answer.text[:300],
    )
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert "Our mistake" not in answer.text, asked
        assert re.search(r"[A-Za-z]{3,} [a-z]", answer.text), (asked, "says nothing in words")
    answer.close()


@pytest.mark.parametrize("roles", [("admin",), ("viewer@lyon",)])
def test_no_link_is_a_mistake_of_ours(app: Flask, enter: Enter, rollout: str, roles: tuple[str, ...]) -> None:
    client = enter("mira" if roles == ("admin",) else "eve", *roles).client
    names, values = fields_of(app), cycle(HOSTILE)
    assert {"span", "from", "signals", "page", "text", "machine", "use_case"} <= set(names)
    turns = 2 if roles == ("admin",) else 4  # each value at every second route, and at every fourth
    for turn, rule in enumerate(routes(app, "GET")):
        found = list(paths(app, rule, values))
        for path in found:
            check(client.get(path), path)
        for value in HOSTILE[turn % turns :: turns]:
            asked = dict.fromkeys(names, value) | ({"span": "own"} if len(value) % 2 else {})
            check(client.get(found[0], query_string=asked), f"{found[0]} {value[:40]!r}")
        for query in QUIRKS[turn % turns :: turns]:
            check(client.get(f"{found[0]}?{query}"), f"{found[0]}?{query[:80]}")


@pytest.mark.parametrize("roles", [("admin",), ("viewer@lyon",)])
def test_no_form_is_a_mistake_of_ours(app: Flask, enter: Enter, rollout: str, roles: tuple[str, ...]) -> None:
    browser = enter("mira" if roles == ("admin",) else "eve", *roles)
    names, values = fields_of(app), cycle(HOSTILE)
    turns = 2 if roles == ("admin",) else 4
    for turn, rule in enumerate(routes(app, "POST")):
        if rule.endpoint in ("login.leave", "account.leave_everywhere"):
            continue  # they ask nothing, and would end the walk
        path, *others = paths(app, rule, values)
        door = "/login" if rule.endpoint.startswith(("login.", "sso.")) else "/account"
        for value in HOSTILE[turn % turns :: turns]:
            form = dict.fromkeys(names, value) | {"csrf": token(browser.client, door)}
            check(browser.client.post(path, data=form), f"POST {path} {value[:40]!r}")
        for other in others:
            check(browser.client.post(other, data={"csrf": token(browser.client, door)}), f"POST {other}")


def test_no_method_is_a_mistake_of_ours(app: Flask, client: FlaskClient, stranger: FlaskClient) -> None:
    for rule in app.url_map.iter_rules():
        path = next(paths(app, rule, iter(["x"] * 9))) if rule.endpoint != "static" else "/static/andon.css"
        for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "BREW"):
            for who in (client, stranger):
                with who.open(path, method=method) as answer:
                    assert answer.status_code < 500, (method, path, answer.status_code)
                    if method in ("PUT", "PATCH", "DELETE", "BREW"):
                        assert answer.status_code in (401, 403, 404, 405), (method, path, answer.status_code)
