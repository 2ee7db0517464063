"""In a real browser figures and lineage are drawn, lead to their pages, and nothing breaks the policy on scripts."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from cloud_hub.flows.refusing import refuse
from cloud_hub.hub import Hub
from tests.console.chromium import page_of
from tests.console.console_models import grow
from tests.console.console_seed import seed

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 20_000


@pytest.fixture
def said() -> list[str]:
    """What the browser complained of."""
    return []


@pytest.fixture
def page(browser: Any, base: str, client: FlaskClient, said: list[str]) -> Any:
    page = page_of(browser, client, base, said, base_url=base, viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    return page


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
