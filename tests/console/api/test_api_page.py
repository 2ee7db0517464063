"""The page of the API: every operation for people who read, without a script."""

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.console.api.document import document
from tests.console.console_people import Browser


def test_every_operation_stands_on_the_page_with_its_fields(app: Flask, client: FlaskClient) -> None:
    page = client.get("/api").text
    for path, methods in document(app)["paths"].items():
        for told in methods.values():
            assert f'id="o-{told["operationId"]}"' in page, path
            assert told["summary"].replace("'", "&#39;") in page.replace("<code>", "`").replace(
                "</code>", "`"
            )
    assert "<code>tolerated</code>" in page
    assert 'href="#s-PlanAsked"' not in page, "fields of a body stand where they are sent"
    assert 'href="/api/v1/openapi.json"' in page
    assert "<script" not in page.split("<main", 1)[1]


def test_the_page_is_for_whoever_may_see_and_stands_where_tokens_are_made(
    enter: Callable[..., Browser], stranger: FlaskClient
) -> None:
    assert stranger.get("/api").status_code == 401
    vic = enter("vic", "viewer").client
    assert vic.get("/api").status_code == 200
    assert 'href="/api"' in vic.get("/account").text
