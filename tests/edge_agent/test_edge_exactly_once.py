"""The real agent process, a real broker: whatever dies, every reading is stored once."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from edge_world import FAST, Device, Hub, positions, trend_reading, trend_source, until

from kernels import sets

READINGS = 4500


def assert_exact(hub: Hub, readings: int) -> None:
    produced = Counter(positions([trend_reading(p) for p in range(1, readings + 1)]))
    stored = Counter(hub.settled.samples())
    assert sum((produced - stored).values()) == 0, "lost"
    assert sum((stored - produced).values()) == 0, "doubled"
    assert hub.settled.reused == []


def assert_features_as_if_never_killed(hub: Hub, readings: int) -> None:
    extractor = sets.make("trend/1", scalars=["s0", "s1", "s2"])
    stored = hub.settled.rows("trend/1")
    for machine in range(2):
        own = [r for r in map(trend_reading, range(1, readings + 1)) if r.machine == machine]
        expected = extractor.batch([r.time_us for r in own], np.array([r.values for r in own]))
        found = [row for row in stored if row[0] == machine]
        assert [when for _, when, _ in found] == [r.time_us for r in own]
        np.testing.assert_array_equal(np.array([row for _, _, row in found], np.float32), expected)


def drained(agent: Device, readings: int) -> bool:
    """By one status: an older one, from before the last batches, also says that the outbox is empty."""
    status = agent.status()
    return bool(status["counters"]["samples"] == 3 * readings and status["outbox"]["batches"] == 0)


def test_kills_at_any_instant_lose_nothing_and_double_nothing(
    careless_hub: Hub, device: Callable[..., Device], state_root: Path
) -> None:
    hub = careless_hub
    feed = trend_source(state_root, READINGS, pace=0.0008)
    agent = device(feed.address, uplink=FAST)
    chance = random.Random(11)
    for _ in range(4):
        before = len(hub.settled.arrivals)
        agent.start()
        until(lambda before=before: len(hub.settled.arrivals) > before + 2)
        time.sleep(chance.random() * 0.7)
        agent.kill()
    agent.start()
    until(lambda: hub.settled.count >= 3 * READINGS, timeout_s=60)
    until(lambda: drained(agent, READINGS))
    assert agent.stop() == 0
    feed.stop()
    assert_exact(hub, READINGS)
    assert_features_as_if_never_killed(hub, READINGS)
    assert len({epoch for epoch, _ in hub.settled.batches}) >= 4
    assert agent.status()["counters"]["samples"] == 3 * READINGS, "counted exactly, across kills"
    assert 0 in feed.opened
    assert any(feed.opened), "it went on where it was"


def test_a_broker_that_restarts_and_forgets_loses_nothing(
    hub: Hub, broker, device: Callable[..., Device], state_root: Path
) -> None:
    feed = trend_source(state_root, 1200, pace=0.002)
    agent = device(feed.address, uplink=FAST)
    agent.start()
    until(lambda: hub.settled.count > 300)
    broker.part._process.kill()
    broker.part._process.wait()
    time.sleep(0.5)
    assert broker.part.start().port == broker.port
    until(lambda: hub.settled.count >= 3600, timeout_s=60)
    until(lambda: drained(agent, 1200))
    feed.stop()
    assert_exact(hub, 1200)
    assert agent.status()["uplink"]["connections"] >= 2
