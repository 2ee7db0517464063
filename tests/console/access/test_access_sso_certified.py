"""Single sign-on against a provider that others wrote, certified by the OpenID Foundation: oidc-provider on Node.js.

What a provider may do wrong is in ``test_access_sso``; here one does all of it right, over HTTP on loopback.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.config import SsoSettings
from cloud_hub.console.app import create_app
from cloud_hub.hub import Hub
from cloud_hub.identity.people import sso
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Grant
from tests import servers
from tests.console.access.test_access_sso import back, leave

CONSOLE = "http://localhost"
BACK = f"{CONSOLE}/login/sso/back"
SECRETS = {"hub": "a secret of this test", "public": "", "mistyped": "another than the hub was given"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    code = {
        "redirect_uris": [BACK],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
    }
    clients = [
        code | {"client_id": name, "client_secret": secret}
        if secret
        else code | {"client_id": name, "token_endpoint_auth_method": "none"}
        for name, secret in SECRETS.items()
    ]
    with servers.running("oidc_provider", clients) as url:
        sso.forget()
        yield url


@pytest.fixture(params=["hub", "public"])
def client_id(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def app(hub: Hub, office: Office, issuer: str, client_id: str) -> Flask:
    secret = hub.config.state_dir / "sso-secret"
    secret.write_text(f"{SECRETS['hub']}\n")
    settings = SsoSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret_file=secret if SECRETS[client_id] else None,
        console_url=CONSOLE,
    )
    web = hub.config.web.model_copy(update={"sso": settings})
    office.accounts.add("mira", [Grant.parse("admin")], by="test")
    office.accounts.link_sso("mira", issuer, "42-mira", by="test")
    return create_app(replace(hub, config=hub.config.model_copy(update={"web": web})), office)


def sign_in(url: str, name: str) -> dict[str, str]:
    """What the provider sends a browser back with, in which somebody signs in as ``name``, and agrees to all it asks.

    Without a name they turn back there.
    """
    with requests.Session() as browser:
        answer = browser.get(url, allow_redirects=False)
        for _ in range(20):
            if answer.is_redirect:
                place = urljoin(answer.url, answer.headers["Location"])
                if place.startswith(BACK):
                    return {key: values[0] for key, values in parse_qs(urlsplit(place).query).items()}
                answer = browser.get(place, allow_redirects=False)
            elif not name:
                answer = browser.get(f"{answer.url}/abort", allow_redirects=False)
            else:
                answer = browser.post(*_filled_in(answer, name), allow_redirects=False)
    raise AssertionError(f"never came back: {answer.url}: {answer.text[:300]}")


def _filled_in(page: requests.Response, name: str) -> tuple[str, dict[str, str]]:
    """Where the form of ``page`` goes, and with what."""
    assert page.status_code == 200, page.text
    form = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    assert form, page.text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    typed = {"login": name, "password": "any"} if 'name="login"' in page.text else {}
    return urljoin(page.url, unescape(form[1])), hidden | typed


def test_who_signs_in_there_comes_in_and_to_the_page_that_was_asked_for(
    stranger: FlaskClient, issuer: str
) -> None:
    url = leave(stranger, "/rollouts?span=7d")
    assert url.startswith(f"{issuer}/auth?")
    page = back(stranger, sign_in(url, "42-mira"))
    assert 'content="0; url=/rollouts?span=7d"' in page.text
    assert "mira" in stranger.get("/people").text


def test_somebody_whom_nobody_linked_stays_outside(stranger: FlaskClient) -> None:
    page = back(stranger, sign_in(leave(stranger), "43-eve"))
    assert page.status_code == 403
    assert "andon hub person sso NAME 43-eve" in unescape(page.text)
    assert stranger.get("/").status_code == 401


def test_a_code_serves_once_and_only_the_browser_that_asked(app: Flask, stranger: FlaskClient) -> None:
    other = app.test_client()
    leave(other)
    answer = sign_in(leave(stranger), "42-mira")
    assert back(other, answer).status_code == 403
    back(stranger, answer)
    assert stranger.get("/").status_code == 200
    again = app.test_client()
    leave(again)
    assert back(again, answer).status_code == 403


@pytest.mark.parametrize("client_id", ["mistyped"])
def test_a_secret_that_the_provider_does_not_know_is_told(stranger: FlaskClient) -> None:
    page = back(stranger, sign_in(leave(stranger), "42-mira"))
    assert page.status_code == 403
    assert "does not take this hub for its client" in page.text
    assert stranger.get("/").status_code == 401


def test_who_turns_back_at_the_provider_is_told_so_and_may_try_again(stranger: FlaskClient) -> None:
    page = back(stranger, sign_in(leave(stranger), ""))
    assert page.status_code == 403
    assert stranger.get("/").status_code == 401
    back(stranger, sign_in(leave(stranger), "42-mira"))
    assert stranger.get("/").status_code == 200
