"""In a real browser a machine's page is live, is read in the viewer's zone, and two people see the same judgement."""

import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from tests.console.chromium import chromium, page_of
from tests.console.console_seed import seed

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 20_000
LIVE_S = 2.0  # from a sample's commit to the page, beats of a second included; the best of three


def test_a_point_arrives_and_a_judgement_is_seen_by_everybody(
    app: Flask, base: str, client: FlaskClient, hub: Hub
) -> None:
    seed(hub)
    said: list[str] = []
    with chromium() as browser:
        tokyo, phone = (
            page_of(browser, client, base, said, timezone_id=zone, viewport={"width": width, "height": 900})
            for zone, width in (("Asia/Tokyo", 1440), ("Europe/Paris", 390))
        )
        for page in (tokyo, phone):
            page.goto(f"{base}/machines/pump-1?span=1h&signals=flow")
            page.wait_for_selector("[data-pulse=on]")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert "in your zone, Asia/Tokyo" in tokyo.locator("[data-zone-note]").inner_text()
        assert tokyo.locator("#log-zone").input_value() == "Asia/Tokyo"

        assert min(_seconds_to_show(hub, tokyo, value) for value in (77.7, 88.8, 99.9)) < LIVE_S

        tokyo.locator("details[id^=judge] > summary").first.focus()
        tokyo.keyboard.press("Enter")
        tokyo.get_by_label("Right: something was wrong").first.check()
        tokyo.get_by_label("Note").first.fill("it sang")
        tokyo.keyboard.press("Enter")
        for page in (tokyo, phone):
            page.locator(".badge", has_text="judged right").wait_for(timeout=PATIENCE_MS)

        phone.get_by_text("Log a failure or maintenance").click()
        phone.get_by_label("Maintenance: somebody").check()
        phone.get_by_role("button", name="Log it").click()
        phone.get_by_text("Logged: maintenance at").wait_for(timeout=PATIENCE_MS)
    assert said == []
    row = hub.database.row("SELECT time FROM label WHERE kind = 'maintenance' ORDER BY time DESC LIMIT 1")
    assert row
    assert 0 <= (hub.clock.now() - row["time"]).total_seconds() < 120  # now, though Paris is ahead of UTC


def _seconds_to_show(hub: Hub, page: Any, value: float) -> float:
    _sample(hub, value)
    began = time.monotonic()
    page.locator("[data-signal=flow] .pointed", has_text=f"{value}").wait_for(timeout=PATIENCE_MS)
    return time.monotonic() - began


def _sample(hub: Hub, value: float) -> None:
    """A sample of pump-1's flow, as ingest stores it."""
    with hub.database.transaction() as connection:
        row = connection.execute(
            "SELECT signal.id FROM signal JOIN machine ON machine.id = signal.machine"
            " WHERE machine.name = 'pump-1' AND signal.name = 'flow'"
        ).fetchone()
        assert row
        values = {"signal": row["id"], "now": hub.clock.now(), "value": value}
        connection.execute("INSERT INTO sample VALUES (%(now)s, %(signal)s, %(value)s)", values)
        connection.execute(
            "UPDATE latest SET time = %(now)s, value = %(value)s WHERE signal = %(signal)s", values
        )
