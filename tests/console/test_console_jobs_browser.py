"""Jobs and Audit in a real browser: live, readable on a phone, and nothing that axe finds serious."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from tests.console.chromium import chromium, page_of, serious
from tests.console.console_jobs import seed_decisions, seed_jobs
from tests.console.console_seed import seed

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 30_000


def test_jobs_and_decisions_are_live_and_fit_a_phone(
    app: Flask, base: str, client: FlaskClient, hub: Hub
) -> None:
    seed(hub)
    seed_decisions(hub)
    jobs = seed_jobs(hub)
    paths = ("/jobs", f"/jobs/{jobs['training']}", "/audit", "/audit/2", "/audit/trace/trace-2")
    said: list[str] = []
    with chromium() as browser:
        for scheme, width in (("light", 1440), ("dark", 390)):
            size = {"width": width, "height": 900}
            page = page_of(browser, client, base, said, color_scheme=scheme, viewport=size)
            for path in paths:
                page.goto(base + path)
                assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
                assert page.locator("h1").count() == 1
                assert serious(page) == [], (path, scheme)

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
        assert serious(page) == []
    assert said == []
