import pytest
from rollout_world import World


@pytest.fixture
def world(database):
    made = World(database)
    yield made
    made.close()
