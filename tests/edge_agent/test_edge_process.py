"""The agent as its host sees it: started, stopped, doubled, told things by the hub."""

import grp
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from edge_runners import bundle
from edge_world import FAST, REPOSITORY, Device, Hub, Source, trend_reading, trend_source, trend_table, until
from typer.testing import CliRunner

from edge_agent.cli import edge_app
from wire.batch import GapEvent
from wire.bundle import write_bundle
from wire.messages import Command, Marks
from wire.topics import Channel, Topic

PRESS = "press-04"


def edge(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(edge_app, list(arguments))
    return result.exit_code, result.output


def test_a_device_says_what_it_is_hears_commands_and_says_goodbye(
    hub: Hub, device: Callable[..., Device], state_root: Path
) -> None:
    feed = trend_source(state_root, 50)
    agent = device(feed.address, uplink=FAST)
    agent.start()
    until(lambda: hub.settled.count == 150)
    until(lambda: any(birth.table == trend_table() for birth in hub.births))
    birth = hub.births[-1]
    assert (birth.profile, birth.target, len(birth.epochs)) == ("generic", "cpu", 1)
    assert birth.epochs[0].epoch == next(iter(hub.settled.batches))[0]
    assert hub.statuses[-1].online

    second = subprocess.run(
        agent.command("run"), cwd=REPOSITORY, capture_output=True, timeout=30, check=False
    )
    assert second.returncode == 1
    assert f"already, as process {agent.process.pid}".encode() in second.stderr
    assert b"Traceback" not in second.stderr

    known = len(hub.births)
    hub.say(Topic(PRESS, Channel.COMMAND), Command(kind="rebirth").to_json())
    until(lambda: len(hub.births) > known)
    hub.say(Topic(PRESS, Channel.COMMITTED), b"not a mark")
    hub.say(Topic(PRESS, Channel.COMMITTED), Marks(epoch=5, mark=9).to_json())
    hub.say(Topic(PRESS, Channel.COMMAND), Command(kind="self-test").to_json())
    until(lambda: agent.status()["self_test"])
    assert agent.status()["uplink"]["refused"] == 1
    assert "not a commit mark" in agent.status()["last_error"]

    exit_code, shown = edge("status", "--config", str(agent.config), "--json")
    assert exit_code == 0
    assert (json.loads(shown)["alive"], json.loads(shown)["counters"]["samples"]) == (True, 150)

    began = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - began < 3.0
    until(lambda: not hub.statuses[-1].online)
    assert hub.statuses[-1].reason == "stopped"
    exit_code, shown = edge("status", "--config", str(agent.config))
    assert shown.startswith("press-04 (plant-1): not running")
    feed.stop()


def test_an_agent_starts_without_a_broker_and_delivers_when_there_is_one(
    hub: Hub, broker, device: Callable[..., Device], state_root: Path
) -> None:
    feed = trend_source(state_root, 400)
    agent = device(feed.address, uplink=FAST)
    broker.part.stop()
    agent.start()
    until(lambda: agent.status()["counters"]["samples"] == 1200)
    status = agent.status()
    assert (status["uplink"]["connected"], status["outbox"]["batches"] > 0) == (False, True)
    assert f"no broker at {broker.host}:{broker.port}" in status["uplink"]["reason"]
    assert broker.part.start().port == broker.port
    until(lambda: hub.settled.count == 1200)
    agent.kill()
    until(lambda: not hub.statuses[-1].online, what="the last will speaks for a killed agent")
    assert hub.statuses[-1].reason == "connection lost"
    feed.stop()


def test_a_hub_that_does_not_answer_holds_the_window_and_gets_only_the_oldest_again(
    hub: Hub, device: Callable[..., Device], state_root: Path
) -> None:
    feed = trend_source(state_root, 2500, pace=0.002)
    hub.deaf = True
    agent = device(feed.address, uplink=FAST | {"window": 4, "max_rows": 50})
    agent.start()
    until(lambda: agent.status()["uplink"]["resent"] >= 3)
    status = agent.status()
    assert status["uplink"]["out"] <= 4
    assert status["outbox"]["batches"] > 8
    assert status["uplink"]["sent"] == status["uplink"]["out"] + status["uplink"]["resent"]
    hub.deaf = False
    until(lambda: hub.settled.count > 4500)
    assert hub.settled.reused == []
    feed.stop()


def test_a_source_that_goes_back_is_cut_off_and_named(
    device: Callable[..., Device], state_root: Path, hub: Hub
) -> None:
    feed = Source(
        state_root / "feed.sock",
        trend_table(),
        lambda p: replace(trend_reading(p), position=p if p < 20 else 7) if p < 30 else None,
    )
    agent = device(feed.address, uplink=FAST)
    agent.start()
    until(lambda: "expected a position above" in agent.status()["feed"]["reason"])
    until(lambda: hub.settled.count == 57)
    time.sleep(0.5)
    assert hub.settled.count == 57
    until(lambda: agent.status()["sources"][PRESS]["position"] == 19)
    feed.stop()


def test_a_damaged_outbox_is_told_and_the_source_goes_on_where_it_was(
    hub: Hub, device: Callable[..., Device], state_root: Path
) -> None:
    feed = trend_source(state_root, 300)
    agent = device(feed.address, uplink=FAST)
    agent.start()
    until(lambda: hub.settled.count == 900)
    until(lambda: agent.status()["sources"][PRESS]["position"] == 300)
    agent.stop()
    outbox = agent.state / "outbox.db"
    outbox.write_bytes(b"\xff" * outbox.stat().st_size)
    agent.start()
    until(lambda: [gap for gap in _gaps(hub) if gap.reason == "outbox-damaged"])
    assert hub.settled.count == 900, "nothing is counted twice"
    assert outbox.with_name("outbox.db.damaged-1").exists()
    feed.stop()


def _gaps(hub: Hub) -> list:
    return [
        event
        for batch in list(hub.settled.batches.values())
        for event in batch.events
        if isinstance(event, GapEvent)
    ]


def test_self_test_tries_what_is_installed(device: Callable[..., Device], state_root: Path) -> None:
    agent = device("unix:/nowhere")
    slot = agent.state / "updates" / "slots" / "engine-life" / "a"
    slot.mkdir(parents=True)
    write_bundle(slot / "bundle.zip", bundle())
    (slot.parent / "current").write_text("a")
    exit_code, shown = edge("self-test", "--config", str(agent.config), "--json")
    findings = json.loads(shown)
    assert exit_code == 0
    assert [(finding["name"], finding["passed"]) for finding in findings] == [
        ("kernels", True),
        ("outbox", True),
        ("release of engine-life", True),
    ]
    (slot / "bundle.zip").write_bytes(b"PK")
    exit_code, shown = edge("self-test", "--config", str(agent.config))
    assert exit_code == 1
    (failed,) = (line for line in shown.splitlines() if line.startswith("FAILED release of engine-life: "))
    assert "bundle.zip" in failed


def test_install_writes_what_run_reads(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    arguments = ["--device", PRESS, "--hub-url", "https://hub:8443", "--folder", str(folder)]
    exit_code, shown = edge("install", *arguments, "--state-dir", str(tmp_path / "state"))
    assert exit_code == 0, shown
    assert f"andon edge enroll --config {folder / 'agent.toml'}" in shown
    unit = (folder / "andon-edge.service").read_text()
    assert f'edge run --config "{folder / "agent.toml"}"' in unit
    assert CliRunner().invoke(edge_app, ["install", *arguments]).exit_code == 1, "nothing is overwritten"


@pytest.mark.parametrize(("profile", "expected"), [("generic", set()), ("orin-nx", {"video", "render"})])
def test_the_unit_names_the_groups_of_a_gpu_that_this_host_has(tmp_path: Path, profile, expected) -> None:
    arguments = ["--device", PRESS, "--hub-url", "https://hub:8443", "--folder", str(tmp_path)]
    exit_code, shown = edge("install", *arguments, "--profile", profile, "--state-dir", str(tmp_path / "s"))
    assert exit_code == 0, shown
    unit = (tmp_path / "andon-edge.service").read_text()
    line = next((each for each in unit.splitlines() if each.startswith("SupplementaryGroups=")), "=")
    here = {group.gr_name for group in grp.getgrall()}
    assert set(line.partition("=")[2].split()) == expected & here


def test_without_an_identity_the_remedy_is_named(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(f'device = "{PRESS}"\nstate_dir = "state"\n[feed]\naddress = "unix:/x"\n')
    command = [sys.executable, "-m", "andon", "edge", "run", "--config", str(config)]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "run `andon edge enroll`" in done.stderr
    assert "Traceback" not in done.stderr
