"""After the storm: everything healed and running, everything held delivered, then what is stored is read."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psycopg
from chaos_agent import Agent
from chaos_check import Gap
from chaos_faults import AFTER_US, BEFORE_US, bring_back, now_us
from chaos_truth import MACHINES, SAMPLE, Samples, keys_of
from chaos_world import DEVICES, World

DRAIN_S = 150.0
LIVE_S = 13.0  # longer than an agent keeps a loss to itself
STILL_S = 3.0

STORED = """
SELECT signal.id, (extract(epoch FROM sample.time) * 1000000)::bigint, sample.value
  FROM sample JOIN signal ON signal.id = sample.signal
"""
SIGNALS = (
    "SELECT signal.id, machine.name, signal.name FROM signal JOIN machine ON machine.id = signal.machine"
)
GAPS = """
SELECT device.name, machine.name, reason, coalesce(epoch, 0), coalesce(first_sequence, 0),
       coalesce(last_sequence, 0), coalesce((extract(epoch FROM from_time) * 1000000)::bigint, 0),
       coalesce((extract(epoch FROM to_time) * 1000000)::bigint, 0)
  FROM gap JOIN device ON device.id = gap.device LEFT JOIN machine ON machine.id = gap.machine
"""


class NotDrainedError(Exception):
    """Something was held to the end that should have been delivered."""


def heal(world: World) -> None:
    """No fault is in force any more."""
    for relay in (*world.links.values(), *(agent.link for agent in world.agents.values())):
        relay.heal()
    for agent in world.agents.values():
        agent.step_clock(0)
        agent.empty()
        world.feeds.rate(agent.feed, 1)


def drain(world: World) -> None:
    """Clones first, each alone under its name; then every agent starts anew, and delivers all it has."""
    with ThreadPoolExecutor(len(DEVICES)) as pool:
        list(pool.map(lambda agent: _drain_device(world, agent), world.agents.values()))
    world.notes.say("every outbox is empty")
    _await_stillness(world)


def _drain_device(world: World, agent: Agent) -> None:
    stopped_us = now_us()
    agent.process.stop()
    for clone in [item for item in world.clones if item.device == agent.device]:
        bring_back(world, clone)
        _await_empty(clone)
        clone.process.stop()
    opened_us = agent.start()
    world.notes.excuse(agent.feed, stopped_us - BEFORE_US, opened_us + AFTER_US, "started anew at the end")
    time.sleep(LIVE_S)
    world.feeds.rate(agent.feed, 0)
    _await_empty(agent)


def _await_empty(agent: Agent) -> None:
    time.sleep(2.5)  # its status is written every second
    _until(lambda: agent.waiting() == 0, f"{agent.feed} still holds batches: see {agent.process.log}")


def _await_stillness(world: World) -> None:
    """Until nothing more is stored and nothing waits for a signal table."""
    seen = [-1, 0.0]

    def still() -> bool:
        with psycopg.connect(world.database_url) as connection:
            row = connection.execute("SELECT count(*) FROM sample").fetchone()
        assert row is not None
        if row[0] != seen[0]:
            seen[:] = [row[0], time.monotonic()]
        return time.monotonic() - seen[1] > STILL_S

    _until(still, "samples are stored for ever")


def stored(world: World) -> Samples:
    with psycopg.connect(world.database_url) as connection:
        names = {row[0]: (row[1], row[2]) for row in connection.execute(SIGNALS)}
        rows = connection.execute(STORED).fetchall()
    keys = keys_of(list(DEVICES))
    return np.array([(keys[names[signal]], when, value) for signal, when, value in rows], SAMPLE)


def gaps(world: World) -> list[Gap]:
    with psycopg.connect(world.database_url) as connection:
        rows = connection.execute(GAPS).fetchall()
    return [
        Gap(
            device=DEVICES.index(device),
            machine=next(m for m in range(MACHINES) if machine == f"{device}-m{m}") if machine else -1,
            reason=reason,
            epoch=epoch,
            first=first,
            last=last,
            from_us=from_us,
            to_us=to_us,
        )
        for device, machine, reason, epoch, first, last, from_us, to_us in rows
    ]


def quarantined(world: World) -> dict[str, int]:
    """What lies in quarantine, by reason, with the first detail of each."""
    query = (
        "SELECT reason || ': ' || min(detail), count(*) FROM quarantine WHERE settled IS NULL GROUP BY reason"
    )
    with psycopg.connect(world.database_url) as connection:
        return dict(connection.execute(query).fetchall())


def _until(true: Callable[[], bool], trouble: str) -> None:
    deadline = time.monotonic() + DRAIN_S
    while not true():
        if time.monotonic() > deadline:
            raise NotDrainedError(trouble)
        time.sleep(0.2)


class Keeper(threading.Thread):
    """Restarts what ended by itself, which is told; and looks at the memory of ingest."""

    def __init__(self, world: World) -> None:
        super().__init__(name="keeper", daemon=True)
        self._world = world
        self._ended = threading.Event()

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        world = self._world
        while not self._ended.wait(0.5):
            for name, process in world.ingests.items():
                world.notes.most_mb = max(world.notes.most_mb, process.memory_mb())
                if not process.alive:
                    self._revive(name, process.start)
            for name, agent in world.agents.items():
                if not agent.process.alive:
                    self._revive(name, agent.process.start)

    def _revive(self, name: str, start: Callable[[], object]) -> None:
        lock = self._world.locks[name]
        if not lock.acquire(blocking=False):
            return  # it is under a fault that will start it
        try:
            process = self._world.ingests.get(name) or self._world.agents[name].process
            if not process.alive and not self._ended.is_set():
                self._world.notes.died(process)
                start()
        finally:
            lock.release()
