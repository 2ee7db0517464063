"""In a real browser a rollout is planned, previewed, started, seen live by two people and undone; axe finds nothing."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from tests.console.chromium import chromium, page_of, serious
from tests.console.console_fleet import fleet

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 20_000


def test_a_rollout_is_planned_started_seen_and_undone(
    app: Flask, base: str, client: FlaskClient, hub: Hub
) -> None:
    fleet(hub)
    said: list[str] = []
    with chromium() as browser:
        wide, phone = (
            page_of(
                browser, client, base, said, viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            for width, scheme in ((1440, "light"), (390, "dark"))
        )
        wide.goto(f"{base}/rollouts")
        wide.get_by_role("link", name="Start a rollout…").click()
        now = wide.locator("section", has_text="As chosen now")
        now.get_by_text("4 devices").wait_for(timeout=PATIENCE_MS)
        wide.get_by_label("tours").check()
        now.get_by_text("2 devices").wait_for(timeout=PATIENCE_MS)
        wide.get_by_label("Soak, in hours").fill("24")
        wide.get_by_text("More settings").click()
        wide.get_by_label("Maintenance windows").fill("sat,sun 02:00-06:00")
        _check(wide)
        wide.get_by_role("button", name="Preview").click()
        wide.wait_for_url(re.compile(r"/preview\?release=motor-health/2&soak=24&windows=.*site=tours$"))
        _check(wide)
        for path in (
            wide.url,
            f"{base}/rollouts/new?site=tours&windows=quiet",
        ):  # the link, on a colleague's phone
            phone.goto(path)
            _check(phone)

        wide.get_by_role("button", name="Start motor-health-2.1").click()
        wide.wait_for_url(f"{base}/rollouts/motor-health-2.1")
        wide.get_by_text("Started: motor-health-2.1").wait_for()
        phone.goto(wide.url)
        for page in (wide, phone):
            page.wait_for_selector("[data-pulse=on]")
        _open_first_wave(hub)
        for page in (wide, phone):
            page.locator("#live .waves li", has_text="1 of 1 committed").wait_for(timeout=PATIENCE_MS)
            page.get_by_text("has proved itself and soaks").wait_for()
            page.locator("#live .headline time[title$=UTC]").last.wait_for()  # in the viewer's zone, still
            _check(page)

        wide.get_by_text("Undo…").click()
        assert "1 device is sent back to motor-health/1" in wide.locator("#act-undo").inner_text()
        wide.locator("#act-undo").get_by_label("Reason").fill("worse than before")
        wide.get_by_role("button", name="Undo motor-health-2.1").click()
        wide.get_by_text("Devices are being sent back.").wait_for()
        phone.locator("#live h1 .badge", has_text="undone").wait_for(timeout=PATIENCE_MS)
        phone.goto(f"{base}/rollouts")
        _check(phone)
    assert said == []


def _check(page: Any) -> None:
    """Nothing hangs over the edge, and axe finds nothing serious."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, page.url
    assert serious(page) == [], page.url


def _open_first_wave(hub: Hub) -> None:
    """As the engine and a device do: the wave opens, a directive goes out, the device commits, the soak begins."""
    now = hub.clock.now()
    with hub.database.transaction() as connection:
        connection.execute(
            """UPDATE rollout_device SET state = 'committed', sequence = 5, previous = 'motor-health/1', changed = %s
                WHERE wave = 1""",
            [now],
        )
        connection.execute(
            """INSERT INTO directive (device, use_case, sequence, release, rollout, mode, signed, issued)
               SELECT device, 'motor-health', 5, 'motor-health/2', rollout, 'install', '', %s
                 FROM rollout_device WHERE wave = 1""",
            [now],
        )
        connection.execute("UPDATE rollout SET wave = 1, passed = %s, changed = %s", [now, now])
