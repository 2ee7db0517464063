"""First content is measured in a real Chromium, of pages and of nothing else; where there is none, it is said so."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.console.bench_browser import first_content
from cloud_hub.hub import Hub
from firmware_configs.figures import judge
from tests.console.chromium import CHROMIUM, listening
from tests.console.console_seed import seed

PATHS = {"plant": "/", "its figures for programs": "/metrics", "a part of a page": "/search/hits?text=pump"}


@pytest.mark.browser
@pytest.mark.slow
def test_pages_are_painted_and_measured_and_parts_of_pages_are_not(
    app: Flask, client: FlaskClient, hub: Hub
) -> None:
    pytest.importorskip("playwright", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    seed(hub)
    cookies = "; ".join(f"{each.key}={each.value}" for each in client._cookies.values())
    with listening(app) as base:
        rows = list(first_content(base, cookies, PATHS))
        strangers = list(first_content(base, "nobody=here", {"account": "/account"}))
    assert [row["figure"] for row in rows] == ["plant, first content in Chromium, slowest of 3"]
    assert 0 < rows[0]["value"] < 30
    assert strangers == [], "the door stands for no page"


def test_without_a_browser_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (row,) = first_content("http://127.0.0.1:1", "", PATHS)
    figure = judge(row, quick=False, full="andon bench console")
    assert (figure.value, figure.holds) == (None, None)
    assert "not run: no Chromium on this machine" in figure.bar or "playwright" in figure.bar
