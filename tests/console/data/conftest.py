"""One plant with real datasets for every test of the pages about data; quarantine and people are new in each."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from cloud_hub.config import HubConfig
from cloud_hub.dataset.snapshot import Dataset
from cloud_hub.hub import Hub
from tests.console.data.data_seed import seed_datasets, seed_quarantine
from tests.console.two_sites import seeded

ANEW = """
TRUNCATE person, person_role, person_terminal, person_link, person_session, api_token, snapshot, quarantine, audit CASCADE;
DELETE FROM procrastinate_jobs WHERE task_name = 'snapshot';
"""


@pytest.fixture(scope="session")
def data_plant(database_url: str, migrated_template: str) -> Iterator[tuple[Hub, list[Dataset]]]:
    """Lyon has cell-1 and cell-2, tours has cell-3 and the engines that datasets are made of."""
    with seeded(database_url, migrated_template) as hub:
        datasets = seed_datasets(hub)
        hub.database.execute(
            "UPDATE device SET site = (SELECT id FROM site WHERE name = 'tours') WHERE name = 'cell-3'"
        )
        yield hub, datasets


@pytest.fixture
def hub(data_plant: tuple[Hub, list[Dataset]]) -> Hub:
    hub, _ = data_plant
    hub.database.execute(ANEW)
    return hub


@pytest.fixture
def config(hub: Hub) -> HubConfig:
    return hub.config


@pytest.fixture
def datasets(data_plant: tuple[Hub, list[Dataset]]) -> list[Dataset]:
    """The older one, then the newer one."""
    return data_plant[1]


@pytest.fixture
def kept(hub: Hub) -> dict[str, int]:
    """What is in quarantine, by what it is."""
    return seed_quarantine(hub)


@pytest.fixture
def lyon(enter) -> FlaskClient:
    """A browser of somebody who sees one site of two."""
    return enter("lea", "engineer@lyon").client
