"""Whoever has no mouse reaches every control of the plant and of a machine, and sees where they are."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from tests.console.chromium import chromium, let_in, listening, until
from tests.console.console_seed import seed

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_tab_leads_to_every_control_and_shows_where_it_is(app: Flask, client: FlaskClient, hub: Hub) -> None:
    seed(hub)
    with listening(app) as base, chromium() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        let_in(context, client, base)
        page = context.new_page()
        for path in ("/", "/machines/pump-1?span=1d"):
            page.goto(base + path)
            until(page, "!document.querySelector('.chart .empty, .htmx-request')")
            wanted = page.evaluate(CONTROLS)
            reached, unseen = _walk(page)
            assert len(wanted) > 20
            assert [each for each in wanted if each not in reached] == [], path
            assert unseen == [], f"{path}: nothing shows that these have the focus"
            page.keyboard.press("Shift+Tab")
            assert page.evaluate(HELD)[0] == reached[-1], "the way back is the same way"


def test_the_first_step_leads_past_the_head_to_the_content(app: Flask, client: FlaskClient, hub: Hub) -> None:
    seed(hub)
    with listening(app) as base, chromium() as browser:
        context = browser.new_context()
        let_in(context, client, base)
        page = context.new_page()
        page.goto(base)
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Skip to the content"
        assert page.locator(":focus").bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


def _walk(page: Any) -> tuple[list[str], list[str]]:
    """Press Tab from the top of the page until it leaves it: what was reached, and what of it was not to be seen."""
    reached: list[str] = []
    unseen: list[str] = []
    for _ in range(500):
        page.keyboard.press("Tab")
        name, visible = page.evaluate(HELD)
        if not name or name in reached:
            return reached, unseen
        reached.append(name)
        if not visible:
            unseen.append(name)
    raise AssertionError("Tab never left the page")


# A control by what it says, and which of those that say so it is: parts of a page are replaced by their like.
NAME = """const said = (each) => (each.textContent || each.name || each.id).trim().replace(/\\s+/g, ' ').slice(0, 40);
const name = (each) => {
  const alike = [...document.querySelectorAll(each.localName)].filter((other) => said(other) === said(each));
  return `${each.localName} "${said(each)}" ${alike.indexOf(each) + 1}`;
};"""

# Everything that can be worked on as the page stands; of radio buttons the one that stands for its group.
CONTROLS = f"""() => {{
  {NAME}
  const usable = (each) => each.checkVisibility({{ visibilityProperty: true }}) && !each.matches(':disabled, [tabindex="-1"]');
  const group = (each) => each.type !== 'radio' || each.checked
    || !document.querySelector(`input[type=radio][name="${{each.name}}"]:checked`);
  return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
    .filter(usable).filter(group).map(name);
}}"""

# What has the focus, and whether an outline, its own or that of what stands for it, says so within the window.
HELD = f"""() => {{
  {NAME}
  const held = document.activeElement;
  if (!held || held === document.body) return ['', true];
  const ring = (each) => {{
    const style = each && getComputedStyle(each);
    return Boolean(style) && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1.5;
  }};
  const drawn = ring(held) ? held : ring(held.nextElementSibling) ? held.nextElementSibling : null;
  const box = drawn?.getBoundingClientRect();
  const inside = Boolean(box) && box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return [name(held), inside];
}}"""
