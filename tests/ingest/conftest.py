"""``andon hub ingest`` as real processes, with a broker and a database of the test's own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest_process import Ingest

from cloud_hub.store.database import Database


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=3) as opened:
        yield opened


@pytest.fixture
def ingest(broker, authority, database: str, state_root: Path) -> Iterator[Ingest]:
    files = authority.issue("hub")
    for source, target in (
        (files.ca, "ca/ca.crt"),
        (files.certificate, "hub/client.crt"),
        (files.key, "hub/client.key"),
    ):
        place = state_root / "identity" / target
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    config = state_root / "hub.toml"
    config.write_text(
        f'database_url = "{database}"\n[broker]\nhost = "localhost"\nport = {broker.hub_port}\n'
    )
    running = Ingest(state_root, config)
    yield running
    running.stop()
