"""A hub that settles, and devices that run as processes."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edge_world import Device, Hub


@pytest.fixture
def careless_hub(broker) -> Iterator[Hub]:
    """Loses one arrival in twenty, and one mark in twenty."""
    chance = random.Random(4)
    made = Hub(broker.client("hub"), broker.host, broker.port, loses=lambda: chance.random() < 0.05)
    yield made
    made.stop()


@pytest.fixture
def hub(broker) -> Iterator[Hub]:
    made = Hub(broker.client("hub"), broker.host, broker.port)
    yield made
    made.stop()


@pytest.fixture
def device(state_root: Path, broker) -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def make(feed: str, name: str = "press-04", **sections: dict[str, object]) -> Device:
        made.append(Device(state_root / name, broker, name, feed, **sections))
        return made[-1]

    yield make
    for item in made:
        item.end()
