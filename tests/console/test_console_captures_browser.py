"""In a real browser a capture is drawn, looked at closer by a link that says so, and appears where it was asked for."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from tests.console.chromium import chromium, page_of
from tests.console.console_captures import add_capture, add_waveforms, windows
from tests.console.console_seed import seed
from wire.clock import to_us

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 20_000
DRAWN = "() => document.querySelectorAll('[data-drawing] canvas').length === 2"


def test_a_capture_is_drawn_looked_at_closer_and_asked_for(base: str, client: FlaskClient, hub: Hub) -> None:
    seed(hub)
    add_waveforms(hub, "pump-1")
    now = hub.clock.now()
    struck, sound = now - timedelta(minutes=5), now - timedelta(days=7)
    add_capture(hub, "pump-1", struck, windows(0.8, 1), why="alarm")
    add_capture(hub, "pump-1", sound, windows(0.0, 2))
    said: list[str] = []
    with chromium() as browser:
        desk, phone = (
            page_of(
                browser, client, base, said, viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            for width, scheme in ((1440, "light"), (390, "dark"))
        )
        shown = f"{base}/machines/pump-1/captures/{to_us(struck)}?of=envelope&with={to_us(sound)}"
        for page in (desk, phone):
            page.goto(shown)
            page.wait_for_function(DRAWN, timeout=PATIENCE_MS)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        _zoom(desk)
        link = desk.evaluate("location.search")
        assert "hz=" in link
        assert "of=envelope" in link
        desk.get_by_role("link", name="logarithmic").click()
        desk.wait_for_function(DRAWN, timeout=PATIENCE_MS)
        assert desk.evaluate("new URLSearchParams(location.search).get('hz')") == link.partition("hz=")[2]
        top = "document.querySelector('[data-drawing=spectrum]').plot.scales.x.max"
        assert desk.evaluate(top) < 4000, "the place that was looked at is shown again"
        _ask(desk, phone, base, hub)
    assert said == []


def _zoom(page: Any) -> None:
    """Drag over the left part of the spectrum."""
    box = page.locator("[data-drawing=spectrum] .u-over").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_function("() => location.search.includes('hz=')", timeout=PATIENCE_MS)


def _ask(desk: Any, phone: Any, base: str, hub: Hub) -> None:
    """Whoever has the page open sees that it was asked for, and what came."""
    for page in (desk, phone):
        page.goto(f"{base}/machines/pump-1")
        page.wait_for_selector("[data-pulse=on]")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    desk.get_by_role("button", name="Take a capture now").click()
    desk.get_by_text("was asked for the next windows of pump-1").wait_for(timeout=PATIENCE_MS)
    phone.locator("#captures .badge", has_text="asked for").wait_for(timeout=PATIENCE_MS)
    add_capture(hub, "pump-1", hub.clock.now(), windows(0.5, 4), why="asked")
    hub.database.execute("UPDATE capture_request SET answered = asked")
    for page in (desk, phone):
        page.locator("#captures tbody .badge", has_text="asked").wait_for(timeout=PATIENCE_MS)
        page.locator("#captures .badge", has_text="asked for").wait_for(state="detached", timeout=PATIENCE_MS)
