"""A console over a seeded hub, with and without somebody let in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.config import HubConfig
from cloud_hub.console import access
from cloud_hub.console.app import create_app
from cloud_hub.hub import Hub, assemble
from cloud_hub.store.database import Database


@pytest.fixture
def config(database: str, tmp_path: Path) -> HubConfig:
    return HubConfig(state_dir=tmp_path, database_url=database)


@pytest.fixture
def hub(config: HubConfig) -> Iterator[Hub]:
    with config.database() as opened:
        assert isinstance(opened, Database)
        yield assemble(config, opened, config.time())


@pytest.fixture
def app(hub: Hub) -> Flask:
    return create_app(hub)


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A browser nobody let in."""
    return app.test_client()


@pytest.fixture
def client(app: Flask, config: HubConfig) -> FlaskClient:
    """A browser that opened the link."""
    client = app.test_client()
    assert client.get(f"/open?key={access.secret(config)}").status_code == 200
    return client
