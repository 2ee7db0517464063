"""What one peer can do to everybody else: nothing it can hold, fill or break for them."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from cloud_hub.console.app import create_app
from cloud_hub.console.live import MOST_LISTENERS, MOST_OF_ONE, Pulse
from cloud_hub.hub import Hub
from cloud_hub.store.database import Database
from tests.console.console_people import Browser

Enter = Callable[..., Browser]


@pytest.fixture
def pulse(app: Flask):
    found: Pulse = app.extensions["pulse"]
    yield found
    found.stop()


def test_what_only_asks_about_the_news_holds_no_place_of_a_page(enter: Enter, pulse: Pulse) -> None:
    client = enter("mira", "viewer").client
    assert {client.head("/events").status_code for _ in range(MOST_LISTENERS)} == {405}
    for _ in range(MOST_LISTENERS):
        client.get("/events").close()  # gone before the first event
    with client.get("/events") as page:
        assert next(page.iter_encoded()) == b"retry: 2000\n\n"


def test_one_session_holds_a_few_pages_and_leaves_room_for_others(hub: Hub) -> None:
    pulse = Pulse(hub.database, hub.clock)
    asked = [pulse.listen(1) for _ in range(2 * MOST_OF_ONE)]
    assert [bool(page and next(page, "")) for page in asked] == [True] * MOST_OF_ONE + [False] * MOST_OF_ONE
    assert pulse.listen(1) is None
    assert pulse.listen(2)
    asked[0].close()  # type: ignore[union-attr]  # a generator
    assert pulse.listen(1)
    pulse.stop()


@pytest.mark.parametrize("path", ["/healthz", "/login"])
def test_a_stranger_is_not_told_where_a_database_is_that_is_away(hub: Hub, path: str) -> None:
    away = "postgresql://boss:secret@127.0.0.1:9/hall9?sslpassword=veiled&passfile=/etc/pw"
    with Database(away, patience_s=0.05) as database:
        client = create_app(replace(hub, database=database)).test_client()
        answer = client.get(path)
        assert not {"veiled", "passfile", "secret"} & set(re.split(r"\W", database.where))
    assert answer.status_code == 503
    assert "The database does not answer; this page works again when it does." in answer.text
    for told in ("127.0.0.1", "boss", "hall9", "secret", "veiled"):
        assert told not in answer.text
