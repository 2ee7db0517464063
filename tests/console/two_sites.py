"""One plant with machines at two sites for every test of who may do what; people are new in each."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from cloud_hub.config import HubConfig
from cloud_hub.hub import Hub, assemble
from tests.console.console_seed import seed

ANEW = """
TRUNCATE person, person_role, person_terminal, person_link, person_session, api_token CASCADE;
UPDATE rollout SET state = 'running', reason = '', created_by = 'mira', plan = plan - 'four_eyes' - 'approve_before', approvals = '{}';
"""
SECOND_SITE = """
INSERT INTO site (name, zone) VALUES ('tours', 'Europe/Paris');
UPDATE device SET site = (SELECT id FROM site WHERE name = 'tours') WHERE name = 'cell-3';
"""


@contextmanager
def seeded(database_url: str, migrated_template: str) -> Iterator[Hub]:
    """A hub with the seeded plant, for as many tests as like it; everything stands at lyon."""
    name, root = f"test_{uuid.uuid4().hex[:12]}", Path(tempfile.mkdtemp(prefix="andon-"))
    url = database_url.replace("@/andon?", f"@/{name}?")
    with psycopg.connect(database_url.replace("@/andon?", "@/postgres?"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        config = HubConfig(state_dir=root, database_url=url)
        with config.database() as database:
            hub = assemble(config, database, config.time())
            seed(hub)
            yield hub
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    shutil.rmtree(root)


@contextmanager
def planted(database_url: str, migrated_template: str) -> Iterator[Hub]:
    """Lyon has cell-1, cell-2 and pump-1 to pump-4; tours has cell-3 and pump-5. One rollout concerns both."""
    with seeded(database_url, migrated_template) as hub:
        hub.database.execute(SECOND_SITE)
        yield hub


@pytest.fixture(scope="session")
def plant(database_url: str, migrated_template: str) -> Iterator[Hub]:
    with planted(database_url, migrated_template) as hub:
        yield hub


@pytest.fixture
def hub(plant: Hub) -> Hub:
    plant.database.execute(ANEW)
    return plant


@pytest.fixture
def config(plant: Hub) -> HubConfig:
    return plant.config


@pytest.fixture
def rollout(hub: Hub) -> str:
    row = hub.database.row("SELECT id FROM rollout")
    assert row
    return str(row["id"])
