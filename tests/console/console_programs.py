"""A program that asks the API, and the token it has."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import NEVER_BY_TOKEN, Grant, Permission, Rights


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    client: FlaskClient
    token: str

    @classmethod
    def of(
        cls, app: Flask, office: Office, name: str, roles: Collection[str], scopes: Collection[Permission]
    ) -> "Program":
        grants = [Grant.parse(role) for role in roles]
        office.accounts.add(name, grants, by="test")
        rights = Rights(frozenset(grants))
        able = [each for each in Permission if each not in NEVER_BY_TOKEN and rights.may(each)]
        token = office.tokens.make(name, "program", scopes or able, days=1, by="test")
        return cls(client=app.test_client(use_cookies=False), token=token)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(f"/api/v1{path}", headers=self.headers, query_string=query)

    def post(self, path: str, **body: Any) -> TestResponse:
        return self.client.post(f"/api/v1{path}", headers=self.headers, json=body)

    def send(self, path: str, body: bytes, content_type: str = "application/json") -> TestResponse:
        headers = self.headers | {"Content-Type": content_type}
        return self.client.post(f"/api/v1{path}", headers=headers, data=body)
