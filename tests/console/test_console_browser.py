"""The console in a real Chromium over the real listeners: it draws, stays current, and says nothing is wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_hub.config import HubConfig
from cloud_hub.hub import Hub, assemble
from cloud_hub.identity.people.links import Purpose
from cloud_hub.identity.people.office import Office
from tests.console.chromium import chromium, overhear
from tests.console.console_seed import seed
from tests.console.page_list import PAGES

PATIENCE_S = 40.0

pytestmark = pytest.mark.browser


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def config(database: str, state_root: Path) -> HubConfig:
    """A hub whose file names the test's database and free ports."""
    file = state_root / "hub.toml"
    web, devices = free_port(), free_port()
    file.write_text(
        f"state_dir = {json.dumps(str(state_root))}\ndatabase_url = {json.dumps(database)}\n"
        f"[web]\nport = {web}\n[devices]\nport = {devices}\n"
    )
    return HubConfig.load(file)


@pytest.fixture
def served(config: HubConfig) -> Iterator[subprocess.Popen[bytes]]:
    """`andon hub web` as a process of its own."""
    command = [sys.executable, "-m", "andon", "hub", "web", "--config", str(config.state_dir / "hub.toml")]
    with subprocess.Popen(command, env={**os.environ, "ANDON_CLOCK": ""}) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not (listens(config.web.port) and listens(config.devices.port)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield process
        process.terminate()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_web_stops_on_sigterm_and_refuses_a_port_in_use(
    config: HubConfig, served: subprocess.Popen[bytes]
) -> None:
    assert listens(config.devices.port)
    command = [sys.executable, "-m", "andon", "hub", "web", "--config", str(config.state_dir / "hub.toml")]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert second.returncode == 1
    assert f"cannot listen at 127.0.0.1:{config.web.port}" in second.stderr
    assert "Traceback" not in second.stderr
    served.send_signal(signal.SIGTERM)
    assert served.wait(PATIENCE_S) == 0


@pytest.mark.slow
def test_every_page_opens_draws_and_stays_current(config: HubConfig, served: subprocess.Popen[bytes]) -> None:
    with config.database() as database, chromium() as browser:
        hub = assemble(config, database, config.time())
        rollout = seed(hub)
        said: list[str] = []
        page = overhear(browser.new_page(viewport={"width": 390, "height": 844}), said)
        base = f"http://127.0.0.1:{config.web.port}"
        _make_first_admin(page, hub, base)
        for path in sorted({each.path.format(rollout=rollout) for each in PAGES if each.status == 200}):
            page.goto(base + path)
            assert page.locator("h1").count() == 1, path
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        page.goto(base + "/models")
        figure = page.locator("th", has_text="Error").first.bounding_box()
        assert figure["x"] + figure["width"] <= 390  # a phone shows how wrong a model is
        page.goto(base + "/machines/pump-1?span=30d")
        page.locator("canvas").nth(4).wait_for()
        assert page.evaluate(INKED) == 5

        page.keyboard.press("/")
        page.keyboard.type("cell-")
        page.locator("#search-hits a").nth(2).wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{base}/devices/cell-2")

        page.goto(f"{base}/?site=lyon")
        page.wait_for_selector("[data-pulse=on]")
        hub.database.execute("UPDATE device SET online = false, rejected = 1 WHERE name = 'cell-2'")
        page.locator("#live tr", has_text="pump-4").locator(".badge:text('silent')").wait_for()

        page.goto(f"{base}/rollouts/{rollout}")
        page.wait_for_selector("[data-pulse=on]")
        hub.rollouts.pause(rollout, actor="mira", reason="smoke in hall 3")
        page.wait_for_selector("#live h1 .badge:text('paused')")
        page.get_by_text("Resume…").click()
        page.get_by_role("button", name=re.compile("^Resume ")).click()
        page.wait_for_selector("#live h1 .badge:text('running')")

        guest = browser.new_context().new_page()  # a demonstration's link: one click, and in
        office = Office.of(database, config.web, record=hub.record)
        guest.goto(f"{base}/open?link={office.links.invite('mira', by='test', purpose=Purpose.SIGN_IN)}")
        guest.wait_for_url(f"{base}/")
    assert said == []


def _make_first_admin(page: Any, hub: Hub, base: str) -> None:
    """By the one-time link, then out and in again by name and password."""
    office, password = Office.of(hub.database, hub.config.web, record=hub.record), "four words in a row"
    page.goto(f"{base}/open?link={office.links.first_admin(terminal='')}")
    page.get_by_label("Your name").fill("mira")
    page.get_by_label("Password").fill(password)
    page.get_by_label("Once more").fill(password)
    page.get_by_role("button", name="Make me the admin").click()
    page.wait_for_url(f"{base}/")
    page.locator("details.who summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{base}/login")
    page.get_by_label("Name").fill("mira")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{base}/")


# How many canvases hold something drawn in the colour of data.
INKED = """() => [...document.querySelectorAll('canvas')].filter((canvas) => {
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let blue = 0;
  for (let i = 0; i < pixels.length; i += 4) blue += pixels[i + 3] > 200 && pixels[i + 2] > pixels[i] + 60;
  return blue > 100;
}).length"""
