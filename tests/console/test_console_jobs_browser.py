"""Jobs and Audit in a real browser: live, readable on a phone, and nothing that axe finds serious."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from cloud_hub.console import vendor
from cloud_hub.hub import Hub
from tests.console.chromium import CHROMIUM, FLAGS
from tests.console.console_jobs import seed_decisions, seed_jobs
from tests.console.console_seed import seed

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 30_000


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


def test_jobs_and_decisions_are_live_and_fit_a_phone(
    app: Flask, base: str, client: FlaskClient, hub: Hub
) -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    if not vendor.present():
        pytest.skip("the console's scripts are not here: run python -m cloud_hub.console.vendor")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    seed(hub)
    seed_decisions(hub)
    jobs = seed_jobs(hub)
    paths = ("/jobs", f"/jobs/{jobs['training']}", "/audit", "/audit/2", "/audit/trace/trace-2")
    said: list[str] = []
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        for scheme, width in (("light", 1440), ("dark", 390)):
            size = {"width": width, "height": 900}
            page = _page(browser, client, base, said, color_scheme=scheme, viewport=size)
            for path in paths:
                page.goto(base + path)
                assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
                assert page.locator("h1").count() == 1
                assert _serious(axe, page) == [], (path, scheme)

        page.goto(f"{base}/jobs")
        page.wait_for_selector("[data-pulse=on]")
        fast = (hub.clock.now() + timedelta(days=40)).timestamp()  # a clock that outruns processes
        page.evaluate(
            "now => document.dispatchEvent(new CustomEvent('andon:beat', { detail: { now, changed: [] } }))",
            fast,
        )
        ran = page.locator("#live tr", has_text="motor-health-r4").locator("time")
        assert ran.inner_text().endswith("\u202fmin")
        assert "min ago" in page.locator("#history time").first.inner_text()
        hub.database.execute("UPDATE run SET stage = 'judging', progress = 0.9 WHERE id = 'motor-health-r4'")
        page.locator("#live tr", has_text="judging").wait_for(timeout=PATIENCE_MS)
        hub.database.execute("UPDATE job_attempt SET ended = began, outcome = 'done' WHERE ended IS NULL")
        page.locator("#history", has_text="motor-health-r4").wait_for(timeout=PATIENCE_MS)
        hub.database.execute("UPDATE job_worker SET seen = seen - interval '1 hour'")
        page.locator("#workers", has_text="No worker has been seen for").wait_for(timeout=PATIENCE_MS)

        page.goto(f"{base}/audit")
        page.wait_for_selector("[data-pulse=on]")
        with hub.database.transaction() as connection:
            hub.record(connection, actor="zoe", action="release.approve", subject="motor-health/2")
        page.locator("#live tr", has_text="zoe").wait_for(timeout=PATIENCE_MS)
        hub.database.execute("UPDATE audit SET actor = 'eve' WHERE actor = 'zoe'")
        page.get_by_role("button", name="Walk it again").click()
        page.locator("[role=alert]", has_text="The chain is broken at entry").wait_for(timeout=PATIENCE_MS)
        assert _serious(axe, page) == []
        browser.close()
    assert said == []


def _serious(axe: Any, page: Any) -> list[tuple[str, str]]:
    """What axe finds serious on ``page``, and where first."""
    found = axe.run(page).response["violations"]
    grave = [each for each in found if each["impact"] in ("serious", "critical")]
    return [(each["id"], each["nodes"][0]["html"]) for each in grave]


def _page(browser: Any, client: FlaskClient, base: str, said: list[str], **options: Any) -> Any:
    """A browser's page in the session of ``client``; what its console complains of is ``said``."""
    context = browser.new_context(**options)
    cookie = client.get_cookie(str(client.application.config["ANDON_COOKIE"]))
    assert cookie is not None
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": base}])
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page
