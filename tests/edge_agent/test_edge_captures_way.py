"""A raw window's whole way: source, agent, broker, ingest, database, console; by routine, on request, after an absence."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from edge_world import FAST, Device, Source, until
from test_edge_captures import AXES, RATE_HZ, SCALARS, TABLE, wave
from typer.testing import CliRunner

from cloud_hub.config import HubConfig
from cloud_hub.console.app import create_app
from cloud_hub.device_cli import device_app
from cloud_hub.hub import assemble
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.passwords import Passwords
from cloud_hub.store import captures
from cloud_hub.store.captures import Taken
from cloud_hub.store.database import Database
from tests.console.console_people import Browser
from tests.ingest.ingest_process import Ingest
from tests.ingest.ingest_world import add_device, reasons
from wire.clock import to_us
from wire.feed import Reading, Window

PRESS, MACHINE = "press-04", "engine-0"
PACE_S = 0.05
LENGTH = 4096


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
    address = f'[broker]\nhost = "localhost"\nport = {broker.hub_port}\n'
    config.write_text(f'database_url = "{database}"\n{address}')
    running = Ingest(state_root, config)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def source(state_root: Path) -> Iterator[Source]:
    """A reading with windows every fifth of a second, from now on."""
    began_us = round(time.time() * 1e6)

    def make(position: int) -> Reading:
        told = tuple(
            Window(signal=each, rate_hz=RATE_HZ, values=wave(position, each, LENGTH)) for each in AXES
        )
        return Reading(
            position=position,
            machine=0,
            time_us=began_us + position,  # a microsecond each, so that a capture says which reading it is of
            signals=SCALARS,
            values=(50.0, 0.0, 0.0),
            windows=told if position % 4 == 0 else (),
        )

    made = Source(state_root / "feed.sock", TABLE, make, pace=PACE_S)
    made.began_us = began_us  # type: ignore[attr-defined]  # for this test alone
    yield made
    made.stop()


def taken(store: Database) -> list[Taken]:
    return captures.taken(store, MACHINE, most=99)[0]


def ask(ingest: Ingest) -> dict[str, object]:
    result = CliRunner().invoke(device_app, ["capture", MACHINE, "--json", "--config", str(ingest.config)])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def answered(store: Database) -> bool:
    found = captures.request(store, MACHINE)
    return found is not None and found.answered is not None


def shown(database: str, folder: Path, path: str) -> dict[str, object]:
    """What the console says to somebody who may look."""
    config = HubConfig(state_dir=folder, database_url=database)
    with config.database() as opened:
        hub = assemble(config, opened, config.time())
        quick = Passwords(memory_kib=8, passes=1)
        office = Office.of(opened, config.web, record=hub.record, passwords=quick)
        client = Browser.of(create_app(hub, office), office, "vic", "viewer").client
        return dict(client.get(path).json)


@pytest.mark.slow
def test_a_window_comes_from_its_source_to_the_console_bit_by_bit(
    ingest: Ingest, source: Source, device: Callable[..., Device], store: Database, state_root: Path
) -> None:
    add_device(store, PRESS)
    agent = device(source.address, uplink=FAST)
    agent.start()
    until(lambda: taken(store), what="for the first of routine")
    (first,) = taken(store)
    assert (first.whys, first.signals) == (("routine",), ("vibration_x", "vibration_y"))
    _assert_whole(store, source, first)

    assert ask(ingest)["again"] is False
    until(lambda: answered(store), what="for the one that was asked for")
    assert [each.whys for each in taken(store)] == [("asked",), ("routine",)]
    _assert_whole(store, source, taken(store)[0])

    agent.stop()
    until(lambda: not store.row("SELECT online FROM device")["online"])
    told = ask(ingest)
    assert (told["online"], told["again"]) == (False, False)
    again = CliRunner().invoke(device_app, ["capture", MACHINE, "--config", str(ingest.config)]).output
    assert "has not answered yet: said again, nothing else was changed" in again
    assert "press-04 is offline: it answers when it comes back within a day" in again
    assert captures.request(store, MACHINE).id == told["command"]
    assert not answered(store)
    agent.start()
    until(lambda: answered(store), what="for what was asked while it was away")
    assert [each.whys for each in taken(store)] == [("asked",), ("asked",), ("routine",)]
    assert "capture" not in " ".join(reasons(store)).lower()

    newest = taken(store)[0]
    path = f"/api/v1/machines/{MACHINE}/captures/{to_us(newest.time)}"
    told = shown(store.conninfo, state_root / "console", path)
    position = to_us(newest.time) - source.began_us  # type: ignore[attr-defined]  # as above
    np.testing.assert_allclose(told["values"], wave(position, AXES[0], LENGTH), atol=1e-4)


def _assert_whole(store: Database, source: Source, capture: Taken) -> None:
    position = to_us(capture.time) - source.began_us  # type: ignore[attr-defined]  # as above
    for axis, name in zip(AXES, capture.signals, strict=True):
        kept = captures.window(store, MACHINE, capture.time, name)
        assert kept.values.tobytes() == wave(position, axis, LENGTH).tobytes()
