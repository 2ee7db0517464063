"""A console over a seeded hub, with people and without, and browsers that are signed in or not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache

from cloud_hub.config import HubConfig
from cloud_hub.console.app import create_app
from cloud_hub.hub import Hub, assemble
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.passwords import Passwords
from cloud_hub.store.database import Database
from tests.console.chromium import chromium, listening
from tests.console.console_people import Browser


class Later:
    """Real time, as far ahead as a test likes."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def config(database: str, tmp_path: Path) -> HubConfig:
    return HubConfig(state_dir=tmp_path, database_url=database)


@pytest.fixture
def hub(config: HubConfig) -> Iterator[Hub]:
    with config.database() as opened:
        assert isinstance(opened, Database)
        yield assemble(config, opened, config.time())


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def office(hub: Hub, later: Later) -> Office:
    """The hub's people, with passwords that are quick to check."""
    quick = Passwords(memory_kib=8, passes=1)
    return Office.of(hub.database, hub.config.web, record=hub.record, now=later, passwords=quick)


class Compiled(BytecodeCache):
    """Every template is compiled once in a test run, not once for each of its consoles."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


COMPILED = Compiled()


@pytest.fixture
def app(hub: Hub, office: Office) -> Flask:
    made = create_app(hub, office)
    made.jinja_env.bytecode_cache = COMPILED
    return made


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A browser nobody let in."""
    return app.test_client()


@pytest.fixture
def enter(app: Flask, office: Office) -> Callable[..., Browser]:
    """``enter("mira", "operator@lyon")`` is mira's browser, signed in; mira is made if new."""
    return lambda name, *roles: Browser.of(app, office, name, *roles)


@pytest.fixture
def client(enter: Callable[..., Browser]) -> FlaskClient:
    """A browser of somebody who may do everything."""
    return enter("mira", "admin").client


@pytest.fixture
def base(app: Flask) -> Iterator[str]:
    """The console in this process, at an address of its own."""
    with listening(app) as address:
        yield address


@pytest.fixture(scope="module")
def started_browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def browser(started_browser: Any) -> Iterator[Any]:
    """A browser without a page; those that a test opens go with it."""
    yield started_browser
    for context in started_browser.contexts:
        context.close()
