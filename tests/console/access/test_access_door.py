"""What a stranger sees: the door. Every view names what it needs; what names nothing opens to nobody."""

import stat
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.config import HubConfig
from cloud_hub.console import gate
from tests.console.console_people import Browser

Enter = Callable[..., Browser]

PAGES = ("/", "/models", "/rollouts", "/machines/pump-1", "/devices/cell-1", "/people", "/account")
DATA = ("/api/v1/machines/a/series", "/events", "/metrics")
OPEN = {"login.show", "login.enter", "login.look", "login.use", "sso.leave", "sso.come_back"} | {
    "health.healthz",
    "health.readyz",
    "static",
    "icon",
}


@pytest.mark.parametrize("path", [*PAGES, "/no-such-page"])
def test_a_stranger_is_shown_the_door_and_comes_back_to_the_page(stranger: FlaskClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert f'name="next" value="{path}"' in answer.text
    assert all("-door=" in cookie for cookie in answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize("path", DATA)
def test_a_program_without_a_token_is_told_so(stranger: FlaskClient, path: str) -> None:
    answer = stranger.get(path)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "Set-Cookie" not in answer.headers


def test_every_route_names_what_it_needs(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        need = gate.need_of(app, rule.endpoint)
        assert need is not None, f"{rule} says of nobody who may come: it opens to nobody"
        assert (need.permission is None) == (rule.endpoint in OPEN), f"{rule} is open to all"
        named = rule.rule.startswith(("/machines", "/devices", "/rollouts", "/api/v1/machines"))
        if "name" in rule.arguments and named:
            assert need.of is not None, f"{rule} names a thing, and no site counts"


def test_a_route_that_names_no_need_opens_to_nobody(app: Flask, enter: Enter) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    assert app.test_client().get("/forgotten").status_code == 401
    answer = enter("mira", "admin").client.get("/forgotten")
    assert answer.status_code == 403
    assert "secret" not in answer.text


def test_a_browser_gets_the_icon_that_it_asks_for_before_anybody_let_it_in(stranger: FlaskClient) -> None:
    with stranger.get("/favicon.ico") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/", "/models", "/people", "/account", "/no-such-page", "/static/andon.css"]
)
def test_every_answer_forbids_foreign_and_inline_code(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text


def test_health_is_told_to_everybody(stranger: FlaskClient) -> None:
    assert stranger.get("/healthz").json == {"status": "ok"}
    assert stranger.get("/readyz").json == {"status": "ready"}


def test_a_link_from_elsewhere_reaches_the_page_of_who_is_signed_in(client: FlaskClient) -> None:
    came = {"Sec-Fetch-Site": "cross-site"}
    client_without = client.application.test_client()  # a Strict cookie does not come along
    answer = client_without.get("/rollouts", headers=came)
    assert answer.status_code == 200
    assert 'content="0; url=/rollouts"' in answer.text


@pytest.mark.parametrize("path", ["/login", "/open", "/people", "/account/tokens"])
def test_an_oversized_form_is_refused(client: FlaskClient, path: str) -> None:
    assert client.post(path, data={"csrf": "x", "name": "x" * 100_000}).status_code == 413


def test_the_cookie_s_key_is_drawn_once_and_only_its_owner_reads_it(app: Flask, config: HubConfig) -> None:
    place = config.state_dir / "run" / "console-secret"
    assert len(place.read_text()) >= 40
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
