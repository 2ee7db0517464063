"""How soon a page shows something in Chromium, beside the same plant: the first contentful paint of each.

A browser and what drives it are tools of whoever develops, so they are looked for only when they are
asked to work; without them the figure says what is missing, and nothing is claimed.
"""

import importlib.util
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

BAR = "<= 1"  # s
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
ROUNDS = 3  # of each page; counted is the slowest of them
PATIENCE_MS = 30_000

Rows = Iterator[dict[str, Any]]

# Seconds from asking for the page to the first paint that is not only background.
PAINTED = """() => new Promise((tell) => {
  new PerformanceObserver((list) => {
    const found = list.getEntriesByName('first-contentful-paint')[0];
    if (found) tell(found.startTime / 1e3);
  }).observe({ type: 'paint', buffered: true });
})"""


def first_content(base: str, cookies: str, paths: Mapping[str, str]) -> Rows:
    """A row for each of ``paths`` (by name) that is a page, in the session of ``cookies``."""
    if missing := _missing():
        told = {"figure": "first content in Chromium", "unit": "s", "bar": BAR}
        yield told | {"not_run": missing}
        return
    with _browser(base, cookies) as page:
        for name, path in paths.items():
            if not _is_page(page, base + path):
                continue
            slowest = max(_painted(page, base + path) for _ in range(ROUNDS))
            figure = f"{name}, first content in Chromium, slowest of {ROUNDS}"
            yield {"figure": figure, "value": slowest, "unit": "s", "bar": BAR}


def _is_page(page: Any, url: str) -> bool:
    """What a person opens: no part of a page, no figures for programs. Asked for once, as before."""
    answer = page.context.request.get(url, timeout=PATIENCE_MS)
    is_html = answer.headers["content-type"].startswith("text/html")
    return bool(answer.ok and is_html and "<main" in answer.text())


def _missing() -> str:
    """What is not on this machine; empty where all is."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    if _chromium() is None:
        return "no Chromium on this machine"
    return ""


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def _browser(base: str, cookies: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a development tool, looked for above

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=list(FLAGS))
        try:
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            pairs = (each.partition("=") for each in cookies.split("; "))
            context.add_cookies([{"name": name, "value": value, "url": base} for name, _, value in pairs])
            yield context.new_page()
        finally:
            browser.close()


def _painted(page: Any, url: str) -> float:
    page.goto(url, timeout=PATIENCE_MS)
    return float(page.evaluate(PAINTED))
