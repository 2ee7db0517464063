"""Nothing is done by a form of somebody else, or of a session that ended; what was typed comes back."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.console.kept import local_path
from cloud_hub.hub import Hub
from cloud_hub.identity.people.office import Office
from tests.console.conftest import Later
from tests.console.console_people import PASSWORD, Browser, sign_in, token

Enter = Callable[..., Browser]


@pytest.mark.parametrize("csrf", [None, "", "wrong"])
def test_a_post_without_a_form_of_the_session_changes_nothing_and_shows_what_was_typed(
    enter: Enter, hub: Hub, rollout: str, csrf: str | None
) -> None:
    client = enter("mira", "admin").client
    form = {"reason": "smoke in hall 3"} | ({} if csrf is None else {"csrf": csrf})
    answer = client.post(f"/rollouts/{rollout}/pause", data=form)
    assert answer.status_code == 403
    assert 'value="smoke in hall 3"' in answer.text
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_sent_by_another_site_is_refused_with_its_token_and_all(
    enter: Enter, office: Office, stranger: FlaskClient, headers: dict[str, str]
) -> None:
    browser = enter("mira", "admin")
    form = {"csrf": token(browser.client, "/people"), "name": "eve", "role": "admin"}
    assert browser.client.post("/people", data=form, headers=headers).status_code == 403
    assert "eve" not in {each.name for each in office.accounts.everyone()}
    door = {"csrf": token(stranger, "/login"), "name": "mira", "password": PASSWORD}
    assert stranger.post("/login", data=door, headers=headers).status_code == 403


def test_nobody_is_signed_in_by_a_form_that_this_browser_was_not_given(app: Flask, enter: Enter) -> None:
    enter("mira", "viewer")
    attacker, victim = app.test_client(), app.test_client()
    form = {"csrf": token(attacker, "/login"), "name": "mira", "password": PASSWORD}
    assert victim.post("/login", data=form).status_code == 403
    token(victim, "/login")
    assert victim.post("/login", data=form).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/a\r\nSet-Cookie: x=y",
        " //evil.example",
        "",
        "evil.example",
        "///evil.example/",
        "/logout",
        "/open?link=x",
    ],
)
def test_signing_in_leads_nowhere_else(path: str) -> None:
    assert local_path(path) == "/"


def test_signing_in_leads_to_the_page_that_was_asked_for(stranger: FlaskClient, enter: Enter) -> None:
    enter("mira", "viewer")
    answer = sign_in(stranger, "mira", next="/machines/pump-1?span=30d&signals=a%2Fb")
    assert answer.headers["Location"] == "/machines/pump-1?span=30d&signals=a%2Fb"
    assert sign_in(stranger, "mira", next="https://evil.example").headers["Location"] == "/"


def test_a_form_of_a_session_that_ended_is_not_done_and_comes_back_as_it_was_typed(
    enter: Enter, hub: Hub, later: Later, rollout: str
) -> None:
    browser = enter("mira", "admin")
    path, typed = f"/rollouts/{rollout}", 'smoke & "fire" in hall 3'
    csrf = token(browser.client, path)
    later.ahead += timedelta(hours=2)
    door = browser.client.post(f"{path}/pause", data={"csrf": csrf, "reason": typed})
    assert door.status_code == 401
    assert "nothing was done" in door.text
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', door.text)}
    assert fields["next"] == path
    assert csrf not in fields["typed"]
    wrong = browser.client.post("/login", data=fields | {"name": "mira", "password": "wrong"})
    assert unescape(re.search(r'name="typed" value="([^"]*)"', wrong.text)[1]) == fields["typed"]
    answer = browser.client.post("/login", data=fields | {"name": "mira", "password": PASSWORD})
    page = browser.client.get(answer.headers["Location"]).text
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}
    assert re.search(r'id="act-pause"[^>]* open>', page)
    assert typed in unescape(page)
    assert typed not in unescape(browser.client.get(path).text)  # once
    assert browser.post(path, f"{path}/pause", reason=typed).status_code == 303
    assert hub.database.row("SELECT state, reason FROM rollout") == {"state": "paused", "reason": typed}


def test_what_was_typed_is_shown_as_text_and_to_no_other_page(enter: Enter, rollout: str) -> None:
    enter("mira", "admin")
    client = enter("mira").client
    hostile = json.dumps({"act": "pause", "reason": '"><script>alert(1)</script>'})
    sign_in(client, "mira", next=f"/rollouts/{rollout}", typed=hostile)
    assert "<script>alert" not in client.get("/rollouts").text
    page = client.get(f"/rollouts/{rollout}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


UNKEPT = ('{"a": "\\u0000"}', '{"\\u0000": "a"}', '{"a": "\\ud800"}')  # what no column holds


@pytest.mark.parametrize(
    "typed", ["[]", "1", '{"a": 1}', "{", "[" * 4000, '{"a": "' + "x" * 20_000 + '"}', *UNKEPT]
)
def test_what_no_login_page_made_is_dropped(enter: Enter, typed: str) -> None:
    client = enter("mira", "viewer").client
    assert sign_in(client, "mira", typed=typed).status_code == 303
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/machines/pump%00", "/no-such%00page", "/static/a%00b", "/?text=%00", "/?%00=a"]
)
def test_text_with_nul_is_refused_in_words_and_is_no_mistake_of_ours(
    enter: Enter, stranger: FlaskClient, path: str
) -> None:
    for client in (enter("mira", "admin").client, stranger):
        answer = client.get(path)
        assert answer.status_code == 400
        assert "without NUL characters" in answer.text
    assert "without NUL" in stranger.get("/api/v1/machines/a%00/series").json["error"]


def test_a_form_with_nul_does_nothing_whoever_sends_it(enter: Enter, stranger: FlaskClient) -> None:
    assert sign_in(stranger, "mi\0ra").status_code == 400
    assert enter("mira", "admin").post("/people", "/people", name="a\0b", role="admin").status_code == 400
    client = enter("mira").client
    assert sign_in(client, "mira", next="/machines/a%00", typed='{"a": "b"}').status_code == 303
    assert client.get("/").status_code == 200
