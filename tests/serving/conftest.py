"""One hub with released models for a whole module, and its scoring service as a process."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cloud_hub.store.database import Database
from tests.serving.serving_world import Served, World, bundle_of


@pytest.fixture(scope="module")
def world(database_url: str, migrated_template: str) -> Iterator[World]:
    """A hub whose champion is engine-life/1, and that has released engine-life/2."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    root = Path(tempfile.mkdtemp(prefix="andon-"))
    with psycopg.connect(database_url.replace("@/andon?", "@/postgres?"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        with Database(database_url.replace("@/andon?", f"@/{name}?"), most=2) as database:
            made = World(root, database)
            made.publish(bundle_of(1, life=10.0))
            made.publish(bundle_of(2, life=20.0))
            made.crown(1)
            yield made
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def served(world: World) -> Iterator[Served]:
    """The service of ``world``; a test that ends it may do so."""
    service = Served(world)
    yield service
    service.stop()
