"""Single sign-on: who is linked comes in, and nothing else that comes back from the provider does."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import OctKey

from cloud_hub.config import HubConfig, SsoSettings
from cloud_hub.console.app import create_app
from cloud_hub.errors import ConfigError, ConflictError
from cloud_hub.hub import Hub
from cloud_hub.identity.people import sso
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Grant
from tests.console.access.console_provider import WORDS, Provider
from tests.console.console_people import token

ADMIN = Grant.parse("admin")


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.stop()


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.claims, running.described = {}, {}
    running.header, running.signer = {"alg": "RS256", "kid": "ours"}, running.key
    running.garbage = None
    sso.forget()
    return running


@pytest.fixture
def app(hub: Hub, office: Office, provider: Provider) -> Flask:
    secret = hub.config.state_dir / "sso-secret"
    secret.write_text("s3cret\n")
    settings = SsoSettings(
        issuer=provider.issuer, client_id="hub", client_secret_file=secret, console_url="http://localhost"
    )
    web = hub.config.web.model_copy(update={"sso": settings})
    office.accounts.add("mira", [ADMIN], by="test")
    hub.database.execute("TRUNCATE person_sso")
    office.accounts.link_sso("mira", provider.issuer, "42-mira", by="test")
    return create_app(replace(hub, config=hub.config.model_copy(update={"web": web})), office)


def leave(client: FlaskClient, path: str = "/", typed: str = "") -> str:
    """Where the console sends a browser that wants in by the provider."""
    form = {"csrf": token(client, "/login"), "next": path, "typed": typed}
    page = client.post("/login/sso", data=form)
    assert page.status_code == 200, page.text
    return unescape(re.search(r'content="0; url=([^"]+)"', page.text)[1])


def back(client: FlaskClient, answer: dict[str, str]):
    return client.get("/login/sso/back", query_string=answer, headers={"Sec-Fetch-Site": "cross-site"})


def test_who_is_linked_comes_in_and_to_the_page_that_was_asked_for(
    stranger: FlaskClient, provider: Provider
) -> None:
    url = leave(stranger, "/rollouts?span=7d")
    assert url.startswith(f"{provider.issuer}/authorize?")
    assert "code_challenge_method=S256" in url
    answer = back(stranger, provider.approve(url))
    assert 'content="0; url=/rollouts?span=7d"' in answer.text
    assert "mira" in stranger.get("/people").text


@pytest.mark.parametrize(
    "path", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_coming_back_leads_nowhere_else(stranger: FlaskClient, provider: Provider, path: str) -> None:
    answer = back(stranger, provider.approve(leave(stranger, path)))
    assert 'content="0; url=/"' in answer.text
    assert "evil" not in answer.text


def test_what_was_typed_comes_along(stranger: FlaskClient, provider: Provider, rollout: str) -> None:
    path = f"/rollouts/{rollout}"
    url = leave(stranger, path, typed='{"act": "pause", "reason": "smoke in hall 3"}')
    back(stranger, provider.approve(url))
    assert 'value="smoke in hall 3"' in stranger.get(path).text


def test_who_is_linked_to_nobody_or_disabled_is_told_so(
    stranger: FlaskClient, provider: Provider, office: Office
) -> None:
    provider.claims = {"sub": "$(id); eve's"}
    command = """by `andon hub person sso NAME '$(id); eve'"'"'s'`"""
    assert command in unescape(back(stranger, provider.approve(leave(stranger))).text)
    provider.claims = {"sub": "<script>eve"}
    answer = back(stranger, provider.approve(leave(stranger)))
    assert answer.status_code == 403
    assert "nobody here is linked" in answer.text
    assert "<script>eve" not in answer.text
    provider.claims = {}
    office.accounts.add("lea", [ADMIN], by="test")
    office.accounts.disable("mira", by="lea")
    assert back(stranger, provider.approve(leave(stranger))).status_code == 403
    assert stranger.get("/").status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["hub", "another"]},
        {"azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 300},
    ],
)
def test_an_answer_that_was_not_made_for_this_question_lets_nobody_in(
    stranger: FlaskClient, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims = claims
    assert back(stranger, provider.approve(leave(stranger))).status_code == 403
    assert stranger.get("/").status_code == 401


def test_an_answer_that_the_provider_did_not_sign_lets_nobody_in(
    stranger: FlaskClient, provider: Provider
) -> None:
    provider.signer = provider.stranger
    assert back(stranger, provider.approve(leave(stranger))).status_code == 403
    provider.header = {"alg": "HS256", "kid": "ours"}
    provider.signer = OctKey.import_key("s3cret" * 8)
    assert back(stranger, provider.approve(leave(stranger))).status_code == 403
    assert stranger.get("/").status_code == 401


def test_an_answer_counts_once_and_for_the_browser_that_asked(
    app: Flask, stranger: FlaskClient, provider: Provider
) -> None:
    answer = provider.approve(leave(stranger))
    victim = app.test_client()
    assert back(victim, answer).status_code == 403  # it asked nothing
    leave(victim)
    assert back(victim, answer).status_code == 403  # it asked something else
    assert back(stranger, answer | {"state": "guess"}).status_code == 403
    assert back(stranger, answer).status_code == 403  # that question is over
    answer = provider.approve(leave(stranger))
    assert back(stranger, answer | {"code": "code-of-somebody"}).status_code == 403
    answer = provider.approve(leave(stranger))
    assert back(stranger, answer).status_code == 200
    assert back(stranger, answer).status_code == 403
    assert back(stranger, {"error": "access_denied"}).status_code == 403


def test_a_provider_that_is_away_or_calls_itself_otherwise_is_said_so(
    stranger: FlaskClient, provider: Provider
) -> None:
    form = {"csrf": token(stranger, "/login")}
    for described in (
        {"issuer": "https://evil.example"},
        {"jwks_uri": "ftp://evil.example/keys"},
        {"authorization_endpoint": None},
    ):
        provider.described = described
        sso.forget()
        answer = stranger.post("/login/sso", data=form)
        assert answer.status_code == 409
        assert "xpected" in answer.text
        assert "evil.example" not in answer.text
    provider.described = {}
    answer = provider.approve(leave(stranger))
    provider.described = {"token_endpoint": "http://127.0.0.1:9/token"}
    sso.forget()
    away = back(stranger, answer)
    assert away.status_code == 503
    assert "127.0.0.1" not in away.text  # where it looks is for the log
    assert stranger.get("/").status_code == 401


def test_what_a_provider_says_of_a_failure_is_told_to_no_stranger(
    stranger: FlaskClient, provider: Provider
) -> None:
    answer = back(stranger, provider.approve(leave(stranger)) | {"code": "code-of-somebody"})
    assert answer.status_code == 403
    assert "takes the code for none of its own" in answer.text
    assert WORDS.partition(".")[0] not in answer.text


def test_what_a_provider_is_is_asked_once_in_a_while(stranger: FlaskClient, provider: Provider) -> None:
    before = provider.asked_itself
    for _ in range(3):
        assert back(stranger, provider.approve(leave(stranger))).status_code == 200
    assert provider.asked_itself == before + 1


@pytest.mark.parametrize(
    "garbage", [b'{"issuer": "' + b"x" * 2_000_000 + b'"}', b"\xff", b"[" * 100_000, b"[]", b"", b"<html>"]
)
def test_a_provider_that_talks_nonsense_is_said_to(
    stranger: FlaskClient, provider: Provider, garbage: bytes
) -> None:
    provider.garbage = garbage
    answer = stranger.post("/login/sso", data={"csrf": token(stranger, "/login")})
    assert answer.status_code == 503
    assert "does not answer as it should" in answer.text


def test_a_provider_that_never_ends_holds_no_page_up_and_is_asked_again_once_it_answers(
    stranger: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sso, "WHOLE_S", 0.1)
    monkeypatch.setattr(sso, "TURN_S", 0.01)
    form = {"csrf": token(stranger, "/login")}
    provider.never.clear()
    try:
        told = [stranger.post("/login/sso", data=form) for _ in range(sso.AT_ONCE + 1)]
        assert [each.status_code for each in told] == [503] * len(told)
        assert "Too many people sign in" in told[-1].text  # those before it are waited for elsewhere
        assert stranger.get("/login").status_code == 200
    finally:
        provider.never.set()
    monkeypatch.undo()
    assert stranger.post("/login/sso", data=form).status_code in (200, 503)
    for _ in range(sso.AT_ONCE):
        assert sso._turn.acquire(timeout=10)  # all come back
    for _ in range(sso.AT_ONCE):
        sso._turn.release()
    assert stranger.post("/login/sso", data=form).status_code == 200


def test_a_few_at_once_ask_the_provider_and_one_more_is_told_to_try_again(
    stranger: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sso, "TURN_S", 0.01)
    form = {"csrf": token(stranger, "/login")}
    with ExitStack() as others:
        for _ in range(sso.AT_ONCE):
            assert sso._turn.acquire(blocking=False)
            others.callback(sso._turn.release)
        answer = stranger.post("/login/sso", data=form)
        assert answer.status_code == 503
        assert "try again in a few seconds" in answer.text
    assert stranger.post("/login/sso", data=form).status_code == 200


def test_a_subject_is_linked_to_one_person(app: Flask, office: Office, provider: Provider) -> None:
    office.accounts.add("lea", [ADMIN], by="test")
    with pytest.raises(ConflictError, match="linked to somebody already"):
        office.accounts.link_sso("lea", provider.issuer, "42-mira", by="test")
    office.accounts.link_sso("mira", provider.issuer, "42-mira", by="test", remove=True)
    assert office.accounts.by_sso(provider.issuer, "42-mira") is None


def test_without_a_provider_there_is_no_such_page(hub: Hub, office: Office) -> None:
    client = create_app(hub, office).test_client()
    csrf = token(client, "/login")
    assert "sso" not in client.get("/login").text
    assert client.post("/login/sso", data={"csrf": csrf}).status_code == 404


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"issuer": "http://id.example.com", "client_id": "x", "console_url": "https://a"},
            "issuer to begin",
        ),
        ({"issuer": "https://id.example.com", "client_id": "x"}, "console_url to begin"),
        ({"issuer": "https://id.example.com", "console_url": "https://a"}, "client_id"),
        (
            {
                "issuer": "https://a",
                "client_id": "x",
                "console_url": "https://a",
                "client_secret_file": "/no",
            },
            "is not there",
        ),
    ],
)
def test_a_provider_that_could_be_overheard_is_refused(settings: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        HubConfig.parse({"state_dir": "/tmp", "web": {"sso": settings}}, origin="hub.toml")
