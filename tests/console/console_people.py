"""A signed-in browser for tests, and the people behind it."""

import re
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Grant

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    client: FlaskClient
    cookie: str  # the name of its session's

    @classmethod
    def of(cls, app: Flask, office: Office, name: str, *roles: str) -> "Browser":
        """``name`` signed in by a password, with a session like everybody's."""
        if name not in {each.name for each in office.accounts.everyone()}:
            office.accounts.add(name, [Grant.parse(role) for role in roles], by="test")
            office.links.choose_password(office.links.invite(name, by="test"), PASSWORD, office.passwords)
        client = app.test_client()
        answer = sign_in(client, name)
        assert answer.status_code == 303, answer.text
        return cls(client=client, cookie=str(app.config["ANDON_COOKIE"]))

    @property
    def secret(self) -> str:
        found = self.client.get_cookie(self.cookie)
        return found.value if found else ""

    def post(self, page: str, path: str, **fields: object):
        """Send a form of ``page`` to ``path``."""
        return self.client.post(path, data={"csrf": token(self.client, page), **fields})


def sign_in(client: FlaskClient, name: str, password: str = PASSWORD, **fields: str):
    form = {"csrf": token(client, "/login"), "name": name, "password": password}
    return client.post("/login", data=form | fields)


def token(client: FlaskClient, page: str) -> str:
    """What a form of ``page`` has to bring back."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(page).text)
    assert found, f"no form on {page}"
    return found[1]
