"""One story in a real browser over a whole factory: from the first login to a rollout that is undone.

A hub, a broker and agents as an operator starts them; nothing is put into the database by hand. Two people look
on: mira, who may do everything, and vera, who may only see. Whatever a page complains about fails the story.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from cloud_hub.console.app import create_app
from cloud_hub.parts.broker import find_mosquitto
from tests.console import story_release
from tests.console.chromium import chromium, overhear, until
from tests.console.console_acts import acts
from tests.console.story_world import DEVICES, SITE, StoryWorld, running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
PATIENCE_MS = 90_000
LIVE_S = 2.0  # from the moment of sampling to the page
PASSWORD = "four words in a row"


@pytest.fixture
def world(state_root: Path) -> Iterator[StoryWorld]:
    if find_mosquitto() is None:
        pytest.skip("no mosquitto on this machine")
    with running(state_root / "plant") as world:
        yield world


@pytest.fixture
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


def test_from_the_first_login_to_a_rollout_that_is_undone(browser: Any, world: StoryWorld) -> None:
    said: list[str] = []
    mira = _enter(browser, world, world.first_link(), said, name="mira")
    vera = _enter(browser, world, world.invite("vera", f"viewer@{SITE}"), said)

    machine = _open_the_riskiest(mira, world)
    _see_a_point_arrive(mira, machine)
    _judge_an_alarm(mira, vera, world, machine)
    rollout = _start_a_rollout(mira, world)
    _see_a_wave_end(mira, vera, world, rollout)
    _be_refused(vera, world, machine, rollout)
    _undo(mira, vera, world, rollout)
    assert said == []
    actions = {
        row["action"] for row in world.hub.database.rows("SELECT action FROM audit WHERE actor = 'mira'")
    }
    assert {"rollout.start", "rollout.undo"} <= actions
    assert not world.hub.database.rows(
        "SELECT FROM audit WHERE actor = 'vera' AND action NOT LIKE 'person.%%'"
    )


def _enter(browser: Any, world: StoryWorld, link: str, said: list[str], *, name: str = "") -> Any:
    """A page of somebody who came by a one-time link and chose a password; with a ``name``, the first admin."""
    page = overhear(browser.new_context(viewport={"width": 1440, "height": 1000}).new_page(), said)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(link)
    if name:
        page.get_by_label("Your name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Once more").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("Make me the admin|Set the password")).click()
    page.wait_for_url(f"{world.url}/")
    used = page.context.request.get(link)
    assert "no longer" in used.text() or used.status >= 400, "a one-time link worked twice"
    return page


def _open_the_riskiest(page: Any, world: StoryWorld) -> str:
    """It stands first in the plant, where its devices say that its life ends first."""
    page.goto(world.url)
    _hears(page)
    name, first = "", page.locator("#live table tbody tr").first

    def agrees() -> bool:  # asked at one moment: two machines may change places
        nonlocal name
        name = world.machine_at_risk()
        return bool(first.locator("th a").inner_text() == name)

    world.wait(agrees, "the riskiest machine stands first")
    assert first.locator(".badge").first.inner_text() == "alarm"
    page.locator(f"#m-{name}").click()
    page.wait_for_url(f"{world.url}/machines/{name}")
    return name


def _see_a_point_arrive(page: Any, machine: str) -> None:
    """Within two seconds of its sampling: its own time against the time at which the chart held it, on one clock."""
    page.goto(f"{page.url}?span=1h&signals=flow")
    _hears(page)
    page.locator("[data-chart=series] canvas").wait_for()
    page.evaluate(WATCH)
    until(page, f"watched.length > 3 && Math.min(...watched) < {LIVE_S}")
    delays = page.evaluate("watched")
    print(
        f"{machine}: a point is drawn {median(delays):.2f} s after its sampling, {min(delays):.2f} s at best"
    )
    assert min(delays) > 0, "a point was drawn before it was sampled"


def _judge_an_alarm(mira: Any, vera: Any, world: StoryWorld, machine: str) -> None:
    vera.goto(f"{world.url}/machines/{machine}")
    _hears(vera)
    loads = _loads(vera)
    mira.locator("details[id^=judge] > summary").first.click()
    mira.get_by_label("Right: something was wrong").first.check()
    mira.get_by_label("Note").first.fill("the impeller is worn: it sang")
    mira.get_by_role("button", name="Judge this alarm").first.click()
    for page in (mira, vera):
        page.locator(".said", has_text="the impeller is worn: it sang").wait_for()
        assert page.locator(".badge", has_text="judged right").count() == 1
    assert _loads(vera) == loads, "it came without loading the page again"
    row = world.hub.database.row("SELECT source, detail FROM label WHERE kind = 'verdict'")
    assert row
    assert (row["source"], row["detail"]["verdict"]) == ("mira", "right")


def _start_a_rollout(page: Any, world: StoryWorld) -> str:
    """Wave by wave; the second waits for somebody's word, so that there is time to look at the first."""
    page.goto(f"{world.url}/rollouts/new")
    page.get_by_label("Release").select_option(world.second)
    page.get_by_label("Waves", exact=True).fill("1, 100%")
    page.get_by_text("More settings").click()
    page.get_by_label("Approval before waves").fill("2")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name=f"{world.second} to 2 devices in 2 waves").wait_for()
    assert world.count("rollout") == 1, "a preview starts nothing"
    page.get_by_role("button", name=re.compile("^Start ")).click()
    page.wait_for_url(re.compile(f"{world.url}/rollouts/{story_release.USE_CASE}-[0-9.]+$"))
    return str(page.url).rpartition("/")[2]


def _see_a_wave_end(mira: Any, vera: Any, world: StoryWorld, rollout: str) -> None:
    vera.goto(f"{world.url}/rollouts/{rollout}")
    loads = {page: _loads(page) for page in (mira, vera)}
    for page in (mira, vera):
        page.locator("h1 .badge:text('awaiting')").wait_for()
        assert "1 of 1 committed" in page.locator(".waves li", has_text="Wave 1").inner_text()
        assert page.locator("#live tr", has=page.locator(".badge:text('committed')")).count() == 1
    assert {page: _loads(page) for page in (mira, vera)} == loads
    assert world.running() == {world.first: 1, world.second: 1}


def _be_refused(vera: Any, world: StoryWorld, machine: str, rollout: str) -> None:
    """Who may only see finds no button, and what a button would have sent is refused."""
    alarm = world.hub.database.row("SELECT min(id) AS id FROM alarm")
    assert alarm
    for path in (
        f"/machines/{machine}",
        f"/rollouts/{rollout}",
        "/devices",
        f"/devices/{DEVICES[0]}",
        "/models",
    ):
        vera.goto(world.url + path)
        forms = vera.locator("main form[method=post]")
        assert forms.count() == 0, f"{path} offers a viewer {forms.first.get_attribute('action')}"
    vera.goto(f"{world.url}/account")
    token = vera.locator("input[name=csrf]").first.input_value()
    things = {"machine": machine, "rollout": rollout, "device": DEVICES[0], "alarm": str(alarm["id"])}
    offered = dict(acts(create_app(world.hub), things))
    assert {f"/rollouts/{rollout}/undo", f"/devices/{DEVICES[0]}/retire", "/rollouts/new/begin"} <= set(
        offered
    )
    answers = {path: _post(vera, world, path, token) for path in offered}
    assert {path: status for path, status in answers.items() if status not in offered[path]} == {}


def _undo(mira: Any, vera: Any, world: StoryWorld, rollout: str) -> None:
    vera.goto(f"{world.url}/rollouts/{rollout}")
    _hears(vera)
    loads = _loads(vera)
    moved = next(device for device in DEVICES if world.release_of(device) == world.second)
    mira.locator("#act-undo > summary").click()
    mira.locator("#reason-undo").fill("it smells of burning")
    mira.get_by_role("button", name=f"Undo {rollout}").click()
    for page in (mira, vera):
        page.locator("h1 .badge:text('undone')").wait_for()
        row = page.locator("#live tr", has=page.locator(f"#d-{moved}"))
        row.locator("td.wide").first.get_by_text(world.first).wait_for()
        page.locator(".events", has_text="it smells of burning").wait_for()
    assert _loads(vera) == loads
    world.wait(lambda: world.running() == {world.first: len(DEVICES)}, "every device went back")


def _post(page: Any, world: StoryWorld, path: str, token: str) -> int:
    """As the page's own form would send it, with the cookies of its session."""
    answer = page.context.request.post(
        world.url + path,
        form={"csrf": token, "reason": "I like to"},
        headers={"Origin": world.url},
        max_redirects=0,
    )
    return int(answer.status)


def _hears(page: Any) -> None:
    """Wait until the page hears what changes."""
    page.wait_for_selector("[data-pulse=on]")


def _loads(page: Any) -> float:
    """When its document was loaded: another load, another figure."""
    return float(page.evaluate("performance.timeOrigin"))


# Seconds from each new point's own time to the frame in which the chart of the flow holds it.
WATCH = """() => {
  const newest = () => document.querySelector('[data-signal=flow] > div').plot?.data[0].at(-1);
  let known = newest();
  globalThis.watched = [];
  const look = () => {
    const found = newest();
    if (found > known) { watched.push(Date.now() / 1e3 - found); known = found; }
    requestAnimationFrame(look);
  };
  look();
}"""
