"""An agent with nothing to do does nothing: no loop spins, connected or not; and its status tells of the link."""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_world import FAST, Device, Hub, trend_source, until

OBSERVED_S = 2.0


def processor_seconds(pid: int) -> float:
    """User and system time of a process, as the kernel counts it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("state", ["idle", "offline"])
def test_an_agent_with_nothing_to_say_leaves_the_processor_alone(
    state: str, hub: Hub, broker, device: Callable[..., Device], state_root: Path
) -> None:
    feed = trend_source(state_root, 50)
    agent = device(feed.address, uplink=FAST)
    if state == "offline":
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            enrolment = agent.state / "identity" / "enrolment.json"
            told = json.loads(enrolment.read_text()) | {"broker_port": nobody.getsockname()[1]}
        enrolment.write_text(json.dumps(told))
    agent.start()
    until(lambda: agent.status()["counters"]["samples"] == 150)
    time.sleep(1.0)
    before, since = processor_seconds(agent.process.pid), time.monotonic()
    time.sleep(OBSERVED_S)
    share = (processor_seconds(agent.process.pid) - before) / (time.monotonic() - since)
    link = agent.status()["uplink"]
    assert (link["connected"], link["behind"]) == (state == "idle", state == "offline")
    assert share < 0.2, f"{share:.3f} of a processor"
    feed.stop()


def test_the_status_shows_the_budget_and_what_it_let_through(
    hub: Hub, device: Callable[..., Device], state_root: Path
) -> None:
    feed = trend_source(state_root, 200)
    agent = device(feed.address, uplink={**FAST, "max_bytes_per_s": 12000})
    agent.start()
    until(lambda: hub.settled.count == 600)
    until(lambda: agent.status()["uplink"]["held_s"] > 0)
    link = agent.status()["uplink"]
    assert link["max_bytes_per_s"] == 12000
    assert link["bytes"] > 1000
    assert link["takeovers"] == 0
    feed.stop()
