"""Debian's Chromium as tests drive it: pages that are let in, and everything that they complain about."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from cloud_hub.console import vendor

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_S = 60.0
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where this machine has none, or the console's scripts are not here."""
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    if not vendor.present():
        pytest.skip("the console's scripts are not here: run python -m cloud_hub.console.vendor")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    """The console in this process, at an address of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        app.extensions["pulse"].stop()
        server.shutdown()
        thread.join()
        server.server_close()


def overhear(page: Any, said: list[str]) -> Any:
    """``page``, whose errors, and refusals by the content security policy, go into ``said``."""
    page.on(
        "console", lambda message: said.append(f"{page.url}: {message.text}") if _is_wrong(message) else None
    )
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    return page


def until(page: Any, holds: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for what a script says; asked from here, as the page itself may evaluate nothing."""
    deadline = time.monotonic() + patience_s
    while not page.evaluate(holds):
        assert time.monotonic() < deadline, f"{page.url}: it never came to that: {holds}"
        page.wait_for_timeout(50)


def let_in(context: Any, client: FlaskClient, base: str) -> None:
    """Have ``context`` be signed in as ``client`` is."""
    cookies = client._cookies.values()  # there is no other way to list them
    context.add_cookies([{"name": each.key, "value": each.value, "url": base} for each in cookies])


def page_of(browser: Any, client: FlaskClient, base: str, said: list[str], **options: Any) -> Any:
    """A page of a browser that is let in as ``client`` is; what goes wrong in it is ``said``."""
    context = browser.new_context(**options)
    let_in(context, client, base)
    return overhear(context.new_page(), said)


def serious(page: Any) -> list[tuple[str, str]]:
    """What axe finds serious on ``page``, and where first; without axe the test is skipped."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(page).response["violations"]
    grave = [each for each in found if each["impact"] in ("serious", "critical")]
    return [(each["id"], each["nodes"][0]["html"]) for each in grave]


def _is_wrong(message: Any) -> bool:
    return message.type == "error" or "Content Security Policy" in message.text
