"""What a reader holds of an open page stays theirs while the page keeps current, and the page says when it cannot."""

import re
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.console.live import LOOK_BACK
from cloud_hub.hub import Hub
from tests.console.chromium import page_of, until
from tests.console.console_seed import seed
from tests.console.test_console_keeping_current import HIDE, SHOW

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 20_000
TROUBLE = "[data-trouble]"


@pytest.fixture
def rollout(hub: Hub) -> str:
    return seed(hub)


@pytest.fixture
def page(app: Flask, base: str, client: FlaskClient, browser: Any) -> Any:
    return page_of(browser, client, base, [])


def opened(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("[data-pulse=on]")


def swapped(page: Any, hub: Hub, change: str) -> None:
    """Carry out ``change`` and wait until the page's part was replaced."""
    page.evaluate("document.querySelector('#live').dataset.old = 'yes'")
    hub.database.execute(change)
    until(page, "!document.querySelector('#live').dataset.old")


def held_back(page: Any, what: str | re.Pattern[str]) -> list[Any]:
    """The requests of ``what``, which wait until a test lets them go."""
    waiting: list[Any] = []

    def hold(route: Any) -> None:
        waiting.append(route)

    page.route(what, hold)
    return waiting


def come(page: Any, waiting: list[Any]) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1e3
    while not waiting:
        assert time.monotonic() < deadline, f"{page.url}: it never asked"
        page.wait_for_timeout(50)


OFFLINE = "UPDATE device SET online = false, rejected = rejected + 1 WHERE name = 'cell-2'"


def test_the_keyboard_stays_where_it_is_when_a_part_is_replaced(
    page: Any, base: str, hub: Hub, rollout: str
) -> None:
    opened(page, f"{base}/")
    link = page.locator('#live td a[href="/devices?site=lyon"]')
    assert link.get_attribute("id") is None
    link.focus()
    swapped(page, hub, OFFLINE)
    assert page.locator(":focus").get_attribute("href") == "/devices?site=lyon"
    page.locator("#live .scrolls").focus()
    swapped(page, hub, OFFLINE.replace("false", "true"))
    assert page.locator(":focus").get_attribute("aria-labelledby") == "h-sites"


def test_a_list_stays_scrolled_when_its_part_is_replaced(
    page: Any, base: str, hub: Hub, rollout: str
) -> None:
    hub.database.execute("INSERT INTO site (name) SELECT 'site-' || n FROM generate_series(1, 60) n")
    opened(page, f"{base}/")
    page.locator("#live .scrolls").evaluate("(each) => each.scrollTo(0, 500)")
    swapped(page, hub, OFFLINE)
    assert page.locator("#live .scrolls").evaluate("(each) => each.scrollTop") == 500


def test_what_is_under_a_pressed_pointer_stays_until_it_is_let_go(
    page: Any, base: str, hub: Hub, rollout: str
) -> None:
    opened(page, f"{base}/")
    silent = page.locator("#live tr", has_text="pump-4").locator(".badge:text('silent')")

    def press_while_it_changes(where: str, change: str) -> None:
        page.locator(where).first.hover()
        page.mouse.down()
        with page.expect_response(lambda each: "hx-request" in each.request.headers and each.status == 200):
            hub.database.execute(change)
        page.wait_for_timeout(300)

    press_while_it_changes("#live thead th", OFFLINE)
    assert silent.count() == 0
    page.mouse.up()  # where nothing is to be clicked: what waited is shown
    silent.wait_for(timeout=PATIENCE_MS)
    press_while_it_changes("#m-pump-1", OFFLINE.replace("false", "true"))
    assert silent.count() == 1
    page.mouse.up()
    page.wait_for_url("**/machines/pump-1")


def test_what_somebody_chose_stays_until_it_is_sent(page: Any, base: str, hub: Hub, rollout: str) -> None:
    opened(page, f"{base}/rollouts/{rollout}")
    page.get_by_label("State").select_option(index=1)
    page.get_by_label("State").blur()
    chosen = page.get_by_label("State").input_value()
    hub.rollouts.pause(rollout, actor="mira", reason="smoke in hall 3")
    page.wait_for_timeout(7500)  # longer than a part waits until it asks again
    assert page.get_by_label("State").input_value() == chosen
    page.get_by_label("State").select_option("")
    page.get_by_label("State").blur()
    page.wait_for_selector("#live h1 .badge:text('paused')")


def test_what_is_written_while_an_answer_is_on_its_way_is_not_lost(
    page: Any, base: str, hub: Hub, rollout: str
) -> None:
    opened(page, f"{base}/rollouts/{rollout}")
    page.wait_for_timeout(1500)
    late = held_back(page, f"**/rollouts/{rollout}*")
    hub.database.execute("UPDATE rollout SET reason = 'another', changed = now()")
    come(page, late)
    page.get_by_text("Pause…").click()
    page.locator("#reason-pause").fill("smoke")
    page.get_by_role("heading", name="Verdicts").click()  # the keyboard is elsewhere
    with page.expect_response(f"**/rollouts/{rollout}*"):
        late[0].continue_()
    page.wait_for_timeout(500)
    assert page.locator("#reason-pause").input_value() == "smoke"


def test_a_page_that_was_opened_behind_another_asks_for_what_it_shows(
    page: Any, base: str, hub: Hub, rollout: str
) -> None:
    opened(page, f"{base}/")  # so that the pulse goes on
    behind = page.context.new_page()
    behind.add_init_script(f"({HIDE})()")
    behind.goto(f"{base}/rollouts")
    hub.rollouts.pause(rollout, actor="mira", reason="smoke in hall 3")
    behind.wait_for_timeout(1e3 * (LOOK_BACK + 2))
    assert behind.locator("#live .badge:text('paused')").count() == 0
    behind.evaluate(SHOW)
    behind.locator("#live .badge:text('paused')").wait_for(timeout=PATIENCE_MS)


def test_a_page_that_was_refused_tries_again(page: Any, base: str, rollout: str) -> None:
    page.route("**/events", lambda route: route.fulfill(status=502, body="no hub"))
    page.goto(f"{base}/rollouts")
    page.locator(TROUBLE, has_text="hears no changes").wait_for(timeout=PATIENCE_MS)
    page.unroute_all()
    page.wait_for_selector("[data-pulse=on]", timeout=PATIENCE_MS)
    page.locator(TROUBLE).wait_for(state="hidden")


def test_a_line_that_falls_silent_is_told_and_made_anew(page: Any, base: str, rollout: str) -> None:
    page.clock.install()
    silent = held_back(page, "**/events")  # never answered
    page.goto(f"{base}/rollouts")
    page.clock.run_for(10_000)
    assert not page.locator(TROUBLE).is_visible()
    page.clock.run_for(10_000)
    assert page.locator(TROUBLE).inner_text() == "The hub does not answer; what you see may be old."
    page.unroute_all()
    page.clock.run_for(20_000)
    page.wait_for_selector("[data-pulse=on]", timeout=PATIENCE_MS)
    page.locator(TROUBLE).wait_for(state="hidden")
    assert silent


def test_a_part_that_cannot_be_had_is_told_once_and_for_as_long(
    page: Any, base: str, hub: Hub, rollout: str
) -> None:
    opened(page, f"{base}/rollouts")
    page.evaluate(
        """() => {
          window.times = 0;
          const count = new MutationObserver(() => { window.times += 1; });
          count.observe(document.querySelector("[data-trouble]"), { childList: true });
        }"""
    )
    page.route("**/rollouts", lambda route: route.fulfill(status=500, body="no"))
    hub.rollouts.pause(rollout, actor="mira", reason="smoke in hall 3")
    page.locator(TROUBLE, has_text="may be old").wait_for(timeout=PATIENCE_MS)
    page.wait_for_timeout(3000)
    assert page.locator(TROUBLE).is_visible()
    assert page.evaluate("window.times") == 1
    page.unroute_all()
    page.locator("#live .badge:text('paused')").wait_for(timeout=PATIENCE_MS)
    page.locator(TROUBLE).wait_for(state="hidden")


def test_a_hidden_page_of_jobs_does_not_ask_for_its_workers(page: Any, base: str, rollout: str) -> None:
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if "hx-request" in each.headers else None)
    page.goto(f"{base}/jobs")
    page.clock.run_for(16_000)
    page.wait_for_timeout(500)
    assert asked  # a worker that falls silent is no news from the database
    page.evaluate(HIDE)
    before = len(asked)
    page.clock.run_for(60_000)
    page.wait_for_timeout(500)
    assert len(asked) == before


def test_what_is_found_goes_with_the_keyboard_and_does_not_come_when_it_has_gone(
    page: Any, base: str, rollout: str
) -> None:
    opened(page, f"{base}/")
    hits = page.locator("#search-hits a")
    page.keyboard.press("/")
    page.keyboard.type("pump-1")
    hits.first.wait_for()
    for _ in range(20):
        page.keyboard.press("Tab")
        if not page.evaluate("document.activeElement.closest('form.search')"):
            break
    assert hits.count() == 0
    late = held_back(page, re.compile("/search"))
    page.locator("#search").fill("cell")
    come(page, late)
    page.keyboard.press("Escape")
    with page.expect_response(re.compile("/search")):
        late[0].continue_()
    page.wait_for_timeout(300)
    assert hits.count() == 0


def test_on_a_phone_the_zone_can_be_read(
    app: Flask, base: str, client: FlaskClient, browser: Any, rollout: str
) -> None:
    page = page_of(
        browser,
        client,
        base,
        [],
        viewport={"width": 390, "height": 844},
        timezone_id="America/Argentina/Buenos_Aires",
    )
    page.goto(f"{base}/machines/pump-1")
    page.wait_for_selector("[data-zone-choice]:not([hidden])")
    shown, wanted = page.locator("[data-zone-choice]").evaluate(
        """(select) => {
          const shown = select.offsetWidth;
          select.style.maxWidth = "none";
          select.style.flex = "none";
          return [shown, select.offsetWidth];
        }"""
    )
    assert shown == wanted
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_who_is_quicker_than_the_page_keeps_what_they_wrote(page: Any, base: str, rollout: str) -> None:
    late = held_back(page, "**/search.js")
    page.goto(f"{base}/", wait_until="commit")
    page.locator("form.filters input[name=text]").press_sequentially("pump-1")
    come(page, late)
    late[0].continue_()
    page.wait_for_load_state("load")
    page.wait_for_selector("[data-pulse=on]")
    assert page.locator("form.filters input[name=text]").input_value() == "pump-1"


def test_a_browser_that_tells_a_zone_which_it_does_not_know_shows_utc(
    page: Any, base: str, rollout: str
) -> None:
    page.add_init_script(
        """const tell = Intl.DateTimeFormat.prototype.resolvedOptions;
        Intl.DateTimeFormat.prototype.resolvedOptions = function () {
          return { ...tell.call(this), timeZone: "Etc/Nowhere" };
        };"""
    )
    page.goto(f"{base}/machines/pump-1")
    page.locator("[data-chart=life] canvas").wait_for(timeout=PATIENCE_MS)
    assert page.locator("[data-zone-choice] option").first.inner_text() == "UTC, yours"
