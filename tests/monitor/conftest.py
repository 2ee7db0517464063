"""A hub on a database of the test's own."""

import pytest

from cloud_hub.config import HubConfig
from cloud_hub.hub import opened


@pytest.fixture
def hub(database, tmp_path):
    with opened(HubConfig(state_dir=tmp_path, database_url=database)) as made:
        yield made
