"""Every page as people see it, dark and light, wide and on a phone: nothing is in anybody's way.

axe-core holds each against WCAG 2 AA. ``ANDON_SCREENS=1`` keeps what is seen in ``docs/screens``; without it
nothing is written, but a page that has no picture there is told.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from flask import Flask

from cloud_hub.config import HubConfig
from cloud_hub.console.app import create_app
from cloud_hub.hub import Hub, assemble
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.passwords import Passwords
from cloud_hub.store.database import Database
from tests.console import console_plant, pictures
from tests.console.chromium import chromium, let_in, listening, overhear, until
from tests.console.console_people import Browser
from tests.console.page_list import PAGES, Page
from wire.clock import Clock, to_us

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
MOMENT = datetime(2026, 11, 26, 13, 40, tzinfo=UTC)  # that all pictures were taken at
# A live chart has come to the newest point, which follows with the first news.
GROWN = f"""[...document.querySelectorAll('[data-newest], [data-newest] div')].every(
  (each) => !each.plot || each.plot.data[0].at(-1) > {MOMENT.timestamp() - 1})"""
PATIENCE_MS = 30_000
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
IN_FULL = [("light", "wide"), ("dark", "phone")]  # each width and each scheme; pictures are taken of all four
LOOKS = list(product(pictures.SCHEMES, pictures.WIDTHS)) if pictures.taking() else IN_FULL


class Still(Clock):
    """A clock that stands."""

    def now_us(self) -> int:
        return to_us(MOMENT)


@pytest.fixture
def hub(config: HubConfig) -> Iterator[Hub]:
    with config.database() as opened:
        assert isinstance(opened, Database)
        yield assemble(config, opened, Still())


@pytest.fixture
def office(hub: Hub) -> Office:
    return Office.of(
        hub.database,
        hub.config.web,
        record=hub.record,
        now=lambda: MOMENT,
        passwords=Passwords(memory_kib=8, passes=1),
    )


@pytest.fixture
def app(hub: Hub, office: Office) -> Flask:
    return create_app(hub, office)


@pytest.fixture
def rollout(hub: Hub, office: Office, enter: Callable[..., Browser]) -> str:
    """One of a plant that is there."""
    return console_plant.seed(hub, office, enter)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_is_quiet_fits_and_is_accessible(
    app: Flask, rollout: str, enter: Callable[..., Browser], scheme: str, width: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    client = enter("mira", "admin").client
    said: list[str] = []
    wrong: list[str] = []
    with listening(app) as base, chromium() as browser:
        look = {
            "color_scheme": scheme,
            "timezone_id": "Europe/Paris",
            "locale": "en-GB",
            "reduced_motion": "reduce",
        }
        look |= {"viewport": {"width": pictures.WIDTHS[width], "height": 900}}
        inside, outside = browser.new_context(**look), browser.new_context(**look)
        let_in(inside, client, base)
        pages = {
            by_stranger: overhear(each.new_page(), said)
            for by_stranger, each in ((False, inside), (True, outside))
        }
        for known in PAGES:
            page = pages[known.by_stranger]
            _open(page, base + known.path.format(rollout=rollout), known)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, known.path
            pictures.keep(page, f"{known.name}-{width}-{scheme}")
            wrong += [f"{known.name}: {each}" for each in _findings(axe, page)]
    assert not wrong, "\n".join(wrong)
    missed = [each.path for each in PAGES if each.status >= 400]  # which Chromium calls an error
    assert [each for each in said if not any(path in each for path in missed)] == []


def test_every_page_has_its_pictures_and_no_other_is_kept() -> None:
    wanted = {name for page in PAGES for name in pictures.names(page).values()}
    there = {file.name for file in pictures.FOLDER.glob("*.png")}
    if pictures.taking():
        (pictures.FOLDER / "README.md").write_text(pictures.index())
        for name in there - wanted:
            (pictures.FOLDER / name).unlink()
        return
    assert there == wanted, "`make screens` takes them all, and drops what is no page's any more"
    assert (pictures.FOLDER / "README.md").read_text() == pictures.index(), "`make screens` writes it anew"


def _open(page: Any, url: str, known: Page) -> None:
    assert page.goto(url).status == known.status, url
    page.locator(known.ready).first.wait_for(timeout=PATIENCE_MS)
    if known.opens:
        page.locator(known.opens).first.click()
    if not known.by_stranger:
        page.wait_for_selector("[data-pulse=on]")
    until(page, "!document.querySelector('.chart .empty, .htmx-request')")
    until(page, GROWN)


def _findings(axe: Any, page: Any) -> list[str]:
    """What keeps somebody out, or nearly."""
    found = axe.run(page, options=RULES).response["violations"]
    return [
        f"{each['id']} at {node['target']}: {node['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
