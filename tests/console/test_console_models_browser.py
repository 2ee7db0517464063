"""In a real browser figures and lineage are drawn, lead to their pages, and nothing breaks the policy on scripts."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from cloud_hub.console import vendor
from cloud_hub.flows.refusing import refuse
from cloud_hub.hub import Hub
from tests.console.chromium import CHROMIUM, FLAGS
from tests.console.console_models import grow
from tests.console.console_seed import seed

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 20_000


@pytest.fixture
def base(app: Flask) -> Iterator[str]:
    """The console in this process, at an address of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    app.extensions["pulse"].stop()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def said() -> list[str]:
    """What the browser complained of."""
    return []


@pytest.fixture
def page(base: str, client: FlaskClient, said: list[str]) -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    if not vendor.present():
        pytest.skip("the console's scripts are not here: run python -m cloud_hub.console.vendor")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(base_url=base, viewport={"width": 1440, "height": 900})
        cookies = (client._cookies or {}).values()  # there is no other way to list them
        context.add_cookies([{"name": each.key, "value": each.value, "url": base} for each in cookies])
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        browser.close()


def test_what_is_drawn_leads_to_its_page_and_follows_what_people_decide(
    page: Any, hub: Hub, said: list[str]
) -> None:
    seed(hub)
    grow(hub)
    page.goto("/models/motor-health/2/lineage")
    page.locator("[data-lineage] svg text", has_text="linux-x86_64").wait_for()
    page.locator("#predicted", has_text="predictions name it").wait_for()
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function("document.querySelector('[data-lineage] svg').clientWidth < 390")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator("[data-lineage] svg text", has_text="motor-health-r2").click(force=True)
    page.wait_for_url("**/models/motor-health#h-runs")

    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator("[data-figures] svg text", has_text="champion").wait_for()
    page.wait_for_selector("[data-pulse=on]")
    refuse(hub, "motor-health/3", person="bob", reason="a broken sensor")  # its state stays "refused"
    page.locator("td", has_text="by bob: a broken sensor").wait_for()
    page.locator(
        "[data-figures] svg text", has_text="champion"
    ).wait_for()  # drawn again in the part that came anew
    assert said == []
