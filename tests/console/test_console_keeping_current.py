"""Open pages keep current without wearing the hub out: nothing is drawn twice, and nobody asks who is not looked at."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import ChoiceLoader, DictLoader

from cloud_hub.console import bench_living
from cloud_hub.console.plant.glances import MOST, Glances
from cloud_hub.hub import Hub
from tests.console.chromium import page_of
from tests.console.console_people import Browser
from tests.console.console_seed import seed

Enter = Callable[..., Browser]
LIVE = {"HX-Request": "true"}
PATIENCE_MS = 20_000


@pytest.fixture
def rollout(hub: Hub) -> str:
    return seed(hub)


def shown(text: str) -> str:
    found = re.search(r'data-shown="([^"]+)"', text)
    assert found
    return found[1]


def look(app: Flask) -> None:
    """As the pulse has it, before it tells pages that something changed."""
    app.extensions["ranking"].look()


def test_a_page_that_shows_it_already_is_sent_nothing(
    app: Flask, client: FlaskClient, hub: Hub, rollout: str
) -> None:
    page = client.get("/").text
    same = client.get("/", headers=LIVE | {"X-Shown": shown(page)})
    assert (same.status_code, same.text) == (204, "")
    hub.database.execute(
        "UPDATE device SET last_batch = last_batch + interval '1 second', skew_s = 9 WHERE online"
    )
    look(app)  # with every batch something is another, and nothing of it is on the page
    assert client.get("/", headers=LIVE | {"X-Shown": shown(page)}).status_code == 204
    hub.database.execute("UPDATE latest_prediction SET time = time + interval '1 minute'")
    look(app)
    part = client.get("/", headers=LIVE | {"X-Shown": shown(page)})
    assert part.status_code == 200
    assert shown(part.text) != shown(page)
    assert "pump-1" in part.text
    assert "<html" not in part.text  # the part alone
    assert client.get("/", headers={"X-Shown": shown(part.text)}).status_code == 204


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE device SET online = false",
        "UPDATE alarm SET closed = now()",
        "UPDATE incident SET closed = now()",
        "INSERT INTO site (name) VALUES ('metz')",
        "UPDATE latest_prediction SET values[1] = values[1] + 1",
        "UPDATE machine SET machine_class = 'fan'",
    ],
)
def test_whatever_is_on_the_page_and_changes_is_sent(
    app: Flask, client: FlaskClient, hub: Hub, rollout: str, change: str
) -> None:
    page = client.get("/").text
    hub.database.execute(change)
    look(app)
    assert client.get("/", headers=LIVE | {"X-Shown": shown(page)}).status_code == 200


def test_what_is_drawn_for_many_knows_none_of_them(app: Flask, enter: Enter, hub: Hub, rollout: str) -> None:
    """Whoever has the same rights is shown the same; whoever has others is not."""
    look(app)
    first, second = enter("mira", "viewer").client.get("/"), enter("zoe", "viewer").client.get("/")
    part = re.compile(r'<div id="live".*</main>', re.S)
    ages = re.compile(r">[^<>]* ago</time>")  # which tick while zoe signs in
    drawn = [part.search(ages.sub("></time>", each.text)) for each in (first, second)]
    assert drawn[0]
    assert drawn[1]
    assert drawn[0][0] == drawn[1][0]
    assert "mira" not in drawn[0][0]
    assert "csrf" not in drawn[0][0]
    hub.database.execute("INSERT INTO site (name) VALUES ('metz')")
    elsewhere = enter("eva", "viewer@metz").client.get("/").text
    assert "pump-1" not in elsewhere
    assert shown(elsewhere) != shown(first.text)


def test_a_template_that_asks_who_it_is_drawn_for_is_told_nobody(
    app: Flask, enter: Enter, rollout: str
) -> None:
    """Whatever somebody writes into it one day."""
    client, source = enter("mira", "viewer").client, "[{{ caller.name if caller else 'nobody' }}{{ csrf }}]"
    app.jinja_env.loader = ChoiceLoader([DictLoader({"fleet_glance.html": source}), app.jinja_env.loader])
    app.jinja_env.cache.clear()
    look(app)
    assert "[nobody]" in client.get("/").text


def test_no_more_views_of_a_look_are_kept_than_so_many() -> None:
    glances = Glances()
    first = glances.of(0)
    for number in range(1, 3 * MOST):
        glances.of(number)
    assert glances.of(0) is first
    assert glances.of(2 * MOST) is not glances.of(2 * MOST)


def test_the_benchmark_asks_at_the_pace_of_a_page(app: Flask) -> None:
    script = (Path(app.root_path) / "static" / "live.js").read_text()
    pace = re.search(r"PACE_MS = (\d+)", script)
    assert pace
    assert int(pace[1]) == bench_living.PACE_S * 1e3


@pytest.mark.browser
@pytest.mark.slow
def test_a_page_asks_at_its_pace_and_not_while_nobody_looks(
    app: Flask,
    base: str,
    client: FlaskClient,
    hub: Hub,
    browser: Any,
) -> None:
    seed(hub)
    said: list[str] = []
    page = page_of(browser, client, base, said)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if "hx-request" in each.headers else None)
    page.goto(f"{base}/")
    page.wait_for_selector("[data-pulse=on]")
    began = time.monotonic()
    for _ in range(4):  # a plant that lives
        hub.database.execute("UPDATE device SET last_batch = last_batch + interval '1 second'")
        hub.database.execute("UPDATE latest_prediction SET time = time + interval '1 minute'")
        page.wait_for_timeout(1000)
    took_s = time.monotonic() - began
    assert 1 <= len(asked) <= 2 + took_s / 5.0, asked

    hub.database.execute("UPDATE device SET online = false, rejected = 1 WHERE name = 'cell-2'")
    page.locator("#live tr", has_text="pump-4").locator(".badge:text('silent')").wait_for(timeout=PATIENCE_MS)

    pulse = app.extensions["pulse"]
    page.evaluate(HIDE)
    deadline = time.monotonic() + PATIENCE_MS / 1e3
    while pulse._listeners.total():
        assert time.monotonic() < deadline, "a tab that nobody sees goes on listening"
        hub.database.execute("UPDATE device SET last_batch = last_batch + interval '1 second'")
        time.sleep(0.1)
    before = len(asked)
    hub.database.execute("UPDATE device SET online = true WHERE name = 'cell-2'")
    assert len(asked) == before
    page.evaluate(SHOW)
    page.locator("#live tr", has_text="pump-4").locator(".badge:text('healthy')").wait_for(
        timeout=PATIENCE_MS
    )
    assert said == []


def _answering(answer: dict[str, Any] | None) -> Callable[[Any], None]:
    """A hub that answers so, or not at all."""
    return lambda route: route.fulfill(**answer) if answer else route.abort()


HIDE = """() => {
  Object.defineProperty(document, "hidden", { value: true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
SHOW = """() => {
  delete document.hidden;
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.mark.browser
@pytest.mark.slow
def test_a_chart_that_cannot_be_had_says_why_and_can_be_asked_for_again(
    app: Flask,
    base: str,
    client: FlaskClient,
    rollout: str,
    browser: Any,
) -> None:
    page = page_of(browser, client, base, [])
    series = re.compile("/series")
    for answer, words in (
        ({"status": 500, "body": "<h1>no"}, "the hub answered 500"),
        (
            {"status": 503, "body": '{"error": "The database does not answer."}'},
            "The database does not answer.",
        ),
        ({"status": 401, "body": "{}"}, "Your session has ended"),
        ({"status": 200, "body": '{"series": ['}, "was cut off"),
        (None, "The hub does not answer."),
    ):
        page.route(series, _answering(answer))
        page.goto(f"{base}/machines/pump-1?signals=flow")
        told = page.locator("[data-chart=series] [role=status]")
        told.wait_for(timeout=PATIENCE_MS)
        assert words in told.inner_text()
        page.locator("[data-chart=life] canvas").wait_for(timeout=PATIENCE_MS)  # its neighbour is drawn
        page.unroute(series)
    told.get_by_role("button", name="Try again").click()
    page.locator("[data-chart=series] canvas").wait_for(timeout=PATIENCE_MS)


@pytest.mark.browser
@pytest.mark.slow
def test_back_and_forward_keep_what_was_asked_for(
    app: Flask,
    base: str,
    client: FlaskClient,
    rollout: str,
    browser: Any,
) -> None:
    page = page_of(browser, client, base, [])
    page.goto(f"{base}/")
    page.get_by_label("State").select_option("alarm")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/?*state=alarm*")
    page.locator("#m-pump-1").click()
    page.wait_for_url("**/machines/pump-1")
    page.get_by_text("30d", exact=True).click()
    page.wait_for_url("**/machines/pump-1?*span=30d*")
    page.go_back()
    assert page.locator("input[name=span]:checked").input_value() == "7d"
    page.go_back()
    assert page.get_by_label("State").input_value() == "alarm"
    assert page.locator("#live tbody th[scope=row] a[id^='m-']").all_inner_texts() == ["pump-1"]
    page.go_forward()
    page.go_forward()
    assert "span=30d" in page.url
    assert page.locator("input[name=span]:checked").input_value() == "30d"
