"""``andon bench console``: every page there is, is measured; what open pages hear is waited for."""

import pytest
from flask import Flask

from cloud_hub.console.bench import PAGES, News
from cloud_hub.console.bench_programs import PROGRAMS
from cloud_hub.errors import UnreachableError

# What is no page of the plant: it has no database behind it, or is a file, of a bundle or of the whole chain.
APART = {
    "audit.export",
    "health.healthz",
    "health.readyz",
    "icon",
    "live.events",
    "static",
    "model.card_file",
}
DOOR = {"login.look", "login.show", "sso.come_back"}  # for whoever is not in yet
UNSEEDED = {"api.comparison"}  # of what the benchmark's plant has none
ASKS_SCORING = {"whatif.show", "why.show", "api.explanation"}


def test_every_page_of_the_console_is_measured(app: Flask) -> None:
    reads = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    matching = app.url_map.bind("hub")
    measured = {matching.match(path.partition("?")[0])[0] for path in (*PAGES.values(), *PROGRAMS.values())}
    assert reads - measured - APART - DOOR - ASKS_SCORING - UNSEEDED == set()


def test_a_change_counts_as_heard_once_every_page_heard_it() -> None:
    news = News(2)
    began = news.expect()
    news.follow(0, answer())
    news.follow(0, answer())  # one page twice is one page
    with pytest.raises(UnreachableError, match="only 1 of 2"):
        news.heard_by_all(patience_s=0.01)
    news.follow(1, answer())
    assert news.heard_by_all() > began


def test_a_change_of_something_else_is_not_the_one_waited_for() -> None:
    news = News(1)
    news.follow(0, [b'data: {"changed": ["models"]}\n'])
    with pytest.raises(UnreachableError, match="only 0 of 1"):
        news.heard_by_all(patience_s=0.01)


def answer() -> list[bytes]:
    return [b'data: {"changed": ["models"]}\n', b"\n", b'data: {"changed": ["fleet"]}\n', b"\n"]
