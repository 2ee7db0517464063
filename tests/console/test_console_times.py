"""Times in the zone a reader chose, in a real browser: through the night clocks change, and ages by the hub's clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from tests.console.chromium import page_of
from tests.console.console_seed import seed

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE_MS = 20_000
# Clocks in New York go back at 06:00 UTC on 2026-11-01: 01:30 comes twice. In Paris they did a week before.
FIRST, SECOND = datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_a_reader_chooses_the_zone_and_a_night_of_two_half_past_ones_is_told_right(
    app: Flask,
    base: str,
    client: FlaskClient,
    hub: Hub,
    browser: Any,
) -> None:
    seed(hub)
    for time, note in ((FIRST, "first"), (SECOND, "second")):
        hub.database.execute(
            """INSERT INTO label (machine, time, kind, source, detail, added)
               SELECT id, %(time)s, 'maintenance', 'cmms', jsonb_build_object('note', %(note)s::text), %(time)s
                 FROM machine WHERE name = 'pump-1'""",
            {"time": time, "note": note},
        )
    said: list[str] = []
    page = page_of(browser, client, base, said, timezone_id="America/New_York")
    page.goto(f"{base}/machines/pump-1")
    page.wait_for_selector("[data-pulse=on]")
    rows = [
        page.locator("[aria-labelledby=h-history] tbody tr", has_text=note) for note in ("first", "second")
    ]
    assert [row.locator("time").inner_text() for row in rows] == ["2026-11-01 01:30"] * 2
    titles = [row.locator("time").get_attribute("title") for row in rows]
    assert "2026-11-01 05:30 UTC" in titles[0]
    assert "2026-11-01 06:30 UTC" in titles[1]
    assert "2026-11-01 07:30 Europe/Paris" in titles[1]
    assert [row.locator("[data-there]").inner_text() for row in rows] == ["06:30 at lyon", "07:30 at lyon"]

    zone = page.get_by_label("Zone in which times are shown")
    charted = page.locator("#pointed-life")
    in_new_york = charted.inner_text()
    zone.select_option("site")
    assert rows[1].locator("time").inner_text() == "2026-11-01 07:30"
    assert rows[1].locator("[data-there]").is_hidden()
    page.wait_for_function(
        "before => document.getElementById('pointed-life').textContent !== before", arg=in_new_york
    )
    zone.select_option("utc")
    assert rows[0].locator("time").inner_text() == "2026-11-01 05:30"

    page.goto(f"{base}/devices/cell-1")  # the browser remembers
    page.wait_for_selector("[data-pulse=on]")
    born = page.locator("dd:right-of(dt:text('Last birth'))").first
    row = hub.database.row("SELECT born FROM device WHERE name = 'cell-1'")
    assert row
    assert born.locator("time").inner_text() == f"{row['born']:%Y-%m-%d %H:%M}"
    assert "at lyon" in born.locator(".there").inner_text()
    assert zone.input_value() == "utc"
    assert page.locator("[data-clock]").inner_text()[:13] == f"{hub.clock.now():%Y-%m-%d %H}"
    assert said == []


def test_without_scripts_times_are_utc_and_say_so(
    app: Flask,
    base: str,
    client: FlaskClient,
    hub: Hub,
    browser: Any,
) -> None:
    seed(hub)
    page = page_of(browser, client, base, [], timezone_id="Asia/Tokyo", java_script_enabled=False)
    page.goto(f"{base}/machines/pump-1")
    assert page.locator(".clock").inner_text().endswith("UTC")
    assert "Times are UTC; clocks at lyon show Europe/Paris." in page.locator("main").inner_text()
    assert page.get_by_label("Zone in which times are shown").is_hidden()
    page.goto(f"{base}/account")
    assert " UTC." in page.locator("[aria-labelledby=h-sessions]").inner_text()


def test_ages_go_on_by_the_hub_s_clock_whatever_the_browser_s_says(
    app: Flask,
    base: str,
    client: FlaskClient,
    hub: Hub,
    browser: Any,
) -> None:
    seed(hub)
    page = page_of(browser, client, base, [])
    page.clock.set_fixed_time(datetime(2001, 1, 1, tzinfo=UTC))
    page.goto(f"{base}/machines/pump-1")
    page.wait_for_selector("[data-pulse=on]")
    age = page.locator("#live time[data-ago]")
    assert "ago" in age.inner_text() or age.inner_text() == "just now"
    later = (hub.clock.now() + timedelta(hours=3, seconds=1)).timestamp()
    page.evaluate(
        "now => document.dispatchEvent(new CustomEvent('andon:beat', { detail: { now, changed: [] } }))",
        later,
    )
    assert age.inner_text() == "3\u202fh ago"
