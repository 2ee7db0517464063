"""The document is the API: every route stands in it, nothing else does, and it is one that tools can read."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from flask import Flask

from cloud_hub.console import gate
from cloud_hub.console.api.document import document
from cloud_hub.console.api.operation import operations
from cloud_hub.identity.people.permissions import NEVER_BY_TOKEN, Permission
from tests.console.console_programs import Program

Programs = Callable[..., Program]


@pytest.fixture
def told(app: Flask) -> dict[str, Any]:
    return document(app)


def test_every_route_stands_in_the_document_and_the_reverse(app: Flask, told: dict[str, Any]) -> None:
    documented = {
        (method.upper(), path.replace("{", "<").replace("}", ">"))
        for path, methods in told["paths"].items()
        for method in methods
    }
    routes = {
        (method, re.sub(r"<[^:<>]+:([^<>]+)>", r"<\1>", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == documented
    assert len(documented) > 40


def test_the_document_is_openapi_3_1(app: Flask, told: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(told).validate()
    broken = told | {"info": {}}
    with pytest.raises(Exception, match=r"title|version"):
        schemathesis.openapi.from_dict(broken).validate()


def test_each_operation_names_the_permission_that_its_view_asks_for(app: Flask, told: dict[str, Any]) -> None:
    for endpoint, each in operations(app).items():
        need = gate.need_of(app, endpoint)
        assert need is not None
        assert need.permission is each.permission
        assert each.permission not in NEVER_BY_TOKEN, "no token could ever do it"
        assert need.token_only == (each.method != "GET")
    scopes = {
        scope
        for methods in told["paths"].values()
        for each in methods.values()
        for scope in each["security"][0]["token"]
    }
    assert scopes <= set(Permission)
    assert {"see", "approve", "rollout.start", "device.enrol"} <= scopes


def test_every_operation_says_what_it_does_and_each_name_is_one(told: dict[str, Any]) -> None:
    every = [each for methods in told["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in every]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in told["tags"]}
    for each in every:
        assert each["summary"]
        assert set(each["tags"]) <= tags
        assert {"401", "403", "404", "503"} <= each["responses"].keys()
    assert tags == {tag for each in every for tag in each["tags"]}


def test_the_document_is_served_to_whoever_may_see(program: Programs, told: dict[str, Any]) -> None:
    answer = program("vic", "viewer@lyon").get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == told
