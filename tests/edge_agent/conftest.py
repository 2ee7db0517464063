"""A hub that settles, and devices that run as processes."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edge_recorders import USUAL, Bystander
from edge_world import Device, Hub

from edge_agent.config import UplinkSettings
from edge_agent.outbox import Outbox
from edge_agent.phases import Phases
from edge_agent.recorder import Recorder
from wire.clock import Clock


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., tuple[Recorder, Outbox]]]:
    """Opens the device's outbox, again and again if asked, with a recorder on it."""
    outboxes: list[Outbox] = []

    def open_again(settings: UplinkSettings = USUAL, **options) -> tuple[Recorder, Outbox]:
        if outboxes:
            outboxes[-1].close()
        outbox = Outbox.open(tmp_path / "outbox.db", **({"max_bytes": 1 << 30} | options))
        outboxes.append(outbox)
        recorder = Recorder(
            source="press-04",
            outbox=outbox,
            settings=settings,
            clock=Clock.real(),
            watcher=Bystander(),
            phases=Phases((), Clock.real()),
        )
        return recorder, outbox

    yield open_again
    outboxes[-1].close()


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
