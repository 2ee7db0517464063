"""The pages about data in Chromium: the chart is drawn, nothing is refused by the policy, nothing is out of reach."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from cloud_hub.dataset.distributions import BINS
from cloud_hub.dataset.snapshot import Dataset
from tests.console.chromium import page_of, serious

PATIENCE_MS = 60_000

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_every_page_fits_a_phone_draws_and_hides_nothing_from_anybody(
    browser: Any, client: FlaskClient, base: str, datasets: list[Dataset], kept: dict[str, int]
) -> None:
    first, second = datasets
    dataset = f"/data/datasets/{second.hash}?against={first.id}"
    paths = ("/data", dataset, "/data/quarantine?reason=NotFinite", f"/data/quarantine/{kept['nan']}")
    said: list[str] = []
    for scheme, width, is_checked in (("light", 390, False), ("light", 1440, True), ("dark", 1440, True)):
        shown = {"width": width, "height": 900}
        # the policy that keeps other code out would keep the checker out, too
        page = page_of(
            browser, client, base, said, viewport=shown, color_scheme=scheme, bypass_csp=is_checked
        )
        for path in (*paths, "/data/storage", "/data/make"):
            page.goto(base + path)
            assert page.locator("h1").count() == 1, path
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
            if path == dataset:
                bars = page.locator("[data-lies] svg path[fill^=color-mix]")
                bars.nth(BINS - 1).wait_for(state="attached", timeout=PATIENCE_MS)
            if is_checked:
                assert serious(page) == [], (scheme, path)
    assert said == []


def test_a_replay_is_asked_for_by_keys_and_an_open_page_hears_of_it(
    browser: Any, client: FlaskClient, base: str, kept: dict[str, int]
) -> None:
    said: list[str] = []
    mine, other = (page_of(browser, client, base, said) for _ in range(2))
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
