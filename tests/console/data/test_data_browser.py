"""The pages about data in Chromium: the chart is drawn, nothing is refused by the policy, nothing is out of reach."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from cloud_hub.console import vendor
from cloud_hub.dataset.distributions import BINS
from cloud_hub.dataset.snapshot import Dataset

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 60_000
SERIOUS = ("serious", "critical")

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def base(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    app.extensions["pulse"].stop()
    server.shutdown()
    server.server_close()


@pytest.fixture
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    if not vendor.present():
        pytest.skip("the console's scripts are not here: run python -m cloud_hub.console.vendor")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield started
        started.close()


def opened(browser: Any, client: FlaskClient, base: str, said: list[str], **options: Any) -> Any:
    context = browser.new_context(**options)
    cookies = client._cookies.values()  # there is no other way to list them
    context.add_cookies([{"name": each.key, "value": each.value, "url": base} for each in cookies])
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page


def test_every_page_fits_a_phone_draws_and_hides_nothing_from_anybody(
    browser: Any, client: FlaskClient, base: str, datasets: list[Dataset], kept: dict[str, int]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    first, second = datasets
    dataset = f"/data/datasets/{second.hash}?against={first.id}"
    paths = ("/data", dataset, "/data/quarantine?reason=NotFinite", f"/data/quarantine/{kept['nan']}")
    said: list[str] = []
    for scheme, width, is_checked in (("light", 390, False), ("light", 1440, True), ("dark", 1440, True)):
        shown = {"width": width, "height": 900}
        # the policy that keeps other code out would keep the checker out, too
        page = opened(browser, client, base, said, viewport=shown, color_scheme=scheme, bypass_csp=is_checked)
        for path in (*paths, "/data/storage", "/data/make"):
            page.goto(base + path)
            assert page.locator("h1").count() == 1, path
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
            if path == dataset:
                bars = page.locator("[data-lies] svg path[fill^=color-mix]")
                bars.nth(BINS - 1).wait_for(state="attached", timeout=PATIENCE_MS)
            if is_checked:
                found = axe.run(page).response["violations"]
                assert [each["id"] for each in found if each["impact"] in SERIOUS] == [], (scheme, path)
    assert said == []


def test_a_replay_is_asked_for_by_keys_and_an_open_page_hears_of_it(
    browser: Any, client: FlaskClient, base: str, kept: dict[str, int]
) -> None:
    said: list[str] = []
    mine, other = (opened(browser, client, base, said) for _ in range(2))
    for page in (mine, other):
        page.goto(f"{base}/data/quarantine/{kept['nan']}")
        page.wait_for_selector("[data-pulse=on]")
    mine.locator("#act-replay > summary").focus()
    mine.keyboard.press("Enter")
    mine.get_by_role("button", name="Replay message").focus()
    mine.keyboard.press("Enter")
    for page in (mine, other):
        page.locator("h1 .badge", has_text="another try is due").wait_for(timeout=PATIENCE_MS)
    assert said == []
