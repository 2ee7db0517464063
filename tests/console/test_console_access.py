"""Nobody looks without the link, nothing is done without the session's token, nothing foreign runs."""

import stat

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.config import Endpoints, HubConfig
from cloud_hub.console import access
from cloud_hub.console.places import console_place
from cloud_hub.errors import ConfigError
from cloud_hub.hub import Hub
from tests.console.console_seed import seed

PAGES = (
    "/",
    "/models",
    "/rollouts",
    "/machines/pump-1",
    "/devices/cell-1",
    "/api/v1/machines/a/series",
    "/events",
)


@pytest.mark.parametrize("path", [*PAGES, "/metrics", "/no-such-page"])
def test_a_stranger_sees_nothing(stranger: FlaskClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert "open" in answer.text.lower()
    assert "Set-Cookie" not in answer.headers


def test_a_browser_gets_the_icon_that_it_asks_for_before_anybody_let_it_in(stranger: FlaskClient) -> None:
    with stranger.get("/favicon.ico") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
        assert answer.text.startswith("<svg")
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("key", ["", "guess", "é"])
def test_a_guessed_key_opens_nothing(stranger: FlaskClient, key: str) -> None:
    assert stranger.get("/open", query_string={"key": key}).status_code == 401
    assert stranger.get("/").status_code == 401


def test_the_link_opens_the_console_and_its_cookie_is_strict(
    stranger: FlaskClient, config: HubConfig
) -> None:
    answer = stranger.get(f"/open?key={access.secret(config)}")
    cookie = answer.headers["Set-Cookie"]
    assert answer.status_code == 200
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert stranger.get("/").status_code == 200


def test_a_forged_session_is_refused(stranger: FlaskClient, app: Flask) -> None:
    stranger.set_cookie(str(app.config["SESSION_COOKIE_NAME"]), "eyJvcGVuIjp0cnVlfQ.aaaaaa.bbbbbbbbbbbb")
    assert stranger.get("/").status_code == 401


def test_the_secret_is_drawn_once_and_only_its_owner_reads_it(config: HubConfig) -> None:
    first = access.secret(config)
    assert access.secret(config) == first
    assert len(first) >= 40
    mode = (config.state_dir / "run" / "console-secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_the_link_names_the_running_console(config: HubConfig) -> None:
    Endpoints(
        pid=1,
        database_url="",
        broker_host="",
        broker_port=1,
        broker_tls=True,
        console_url="http://127.0.0.1:8471",
        device_url="https://127.0.0.1:8472",
    ).write(config.state_dir)
    assert access.link(config) == f"http://127.0.0.1:8471/open?key={access.secret(config)}"
    assert console_place(config).port == 8471


def test_programs_are_let_in_by_the_bearer_token(stranger: FlaskClient, config: HubConfig) -> None:
    bearer = {"Authorization": f"Bearer {access.secret(config)}"}
    answer = stranger.get("/metrics", headers=bearer)
    assert answer.status_code == 200
    assert "andon_devices 0.0" in answer.text
    assert stranger.get("/metrics", headers={"Authorization": "Bearer no"}).status_code == 401


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_post_without_the_sessions_token_changes_nothing(
    client: FlaskClient, hub: Hub, token: str | None
) -> None:
    rollout = seed(hub)
    form = {"reason": "smoke"} | ({} if token is None else {"csrf": token})
    assert client.post(f"/rollouts/{rollout}/pause", data=form).status_code == 403
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}


@pytest.mark.parametrize("path", ["/", "/models", "/no-such-page", "/static/andon.css"])
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


def test_a_console_open_to_the_network_without_tls_is_refused(config: HubConfig) -> None:
    web = config.web.model_copy(update={"listen": "0.0.0.0"})
    with pytest.raises(ConfigError, match=r"set web\.certificate and web\.key"):
        console_place(config.model_copy(update={"web": web}))


def test_a_certificate_that_is_not_there_is_named(config: HubConfig) -> None:
    web = config.web.model_copy(update={"certificate": config.state_dir / "a", "key": config.state_dir / "b"})
    with pytest.raises(ConfigError, match="is not there"):
        console_place(config.model_copy(update={"web": web}))
