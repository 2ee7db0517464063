"""How each fault is done for real, and for which time it may cost live samples of whom."""

import shutil
import time
from collections.abc import Callable

from chaos_agent import Agent
from chaos_hub_image import HubImage
from chaos_schedule import CUTS, KILLS, Fault, Kind
from chaos_world import World

BEFORE_US = 3_000_000  # what an agent held in memory, or in its feed's socket, when it died
AFTER_US = 1_000_000


def now_us() -> int:
    return time.time_ns() // 1000


class Faults:
    """``do`` performs one and returns when it is over; different targets at the same time."""

    def __init__(self, world: World, hub_image: HubImage | None) -> None:
        self._world = world
        self._notes = world.notes
        self._hub_image = hub_image
        self._ways: dict[Kind, Callable[[Fault], None]] = {
            Kind.KILL_AGENT: self._kill_agent,
            Kind.KILL_BROKER: self._kill_broker,
            Kind.KILL_INGEST: self._kill_ingest,
            Kind.KILL_POSTGRES: self._kill_postgres,
            Kind.FREEZE_INGEST: self._freeze_ingest,
            Kind.CUT_AGENT: self._cut,
            Kind.CUT_INGEST: self._cut,
            Kind.CUT_POSTGRES: self._cut,
            Kind.FILL_DISK: self._fill_disk,
            Kind.STEP_CLOCK: self._step_clock,
            Kind.BURST: self._burst,
            Kind.RESTORE_AGENT: self._restore_agent,
            Kind.CLONE_AGENT: self._clone_agent,
            Kind.RESTORE_HUB: self._restore_hub,
        }

    def possible(self) -> dict[Kind, str]:
        """Every kind, with why it cannot be had here; empty where it can."""
        world = self._world
        missing = {
            Kind.FILL_DISK: "" if world.has_disks else "no tmpfs may be mounted (needs root)",
            Kind.STEP_CLOCK: "" if world.shim else "no C compiler for a clock that can be stepped",
            Kind.RESTORE_HUB: "" if self._hub_image else "no `andon hub restored` in this version",
        }
        return {kind: missing.get(kind, "") for kind in Kind}

    def do(self, fault: Fault) -> None:
        self._notes.say(str(fault))
        began = time.monotonic()
        self._ways[fault.kind](fault)
        if fault.kind in KILLS:
            self._notes.killed()
        if fault.kind in CUTS:
            self._notes.cut()
        self._notes.say(f"  #{fault.number} over after {time.monotonic() - began:.1f} s")

    def _kill_agent(self, fault: Fault) -> None:
        agent = self._world.agents[fault.target]
        with self._world.locks[fault.target]:
            killed_us = now_us()
            agent.process.kill()
            time.sleep(fault.hold_s)
            self._excuse(agent.feed, killed_us, agent.start(), fault)

    def _kill_ingest(self, fault: Fault) -> None:
        with self._world.locks[fault.target]:
            self._world.ingests[fault.target].kill()
            time.sleep(fault.hold_s)
            self._world.ingests[fault.target].start()

    def _kill_broker(self, fault: Fault) -> None:
        with self._world.locks["broker"]:
            self._world.crash(self._world.broker)
            time.sleep(fault.hold_s)
            self._world.start_broker()

    def _kill_postgres(self, fault: Fault) -> None:
        with self._world.locks["postgres"]:
            self._world.crash(self._world.postgres)
            time.sleep(fault.hold_s)
            self._world.start_postgres()

    def _freeze_ingest(self, fault: Fault) -> None:
        with self._world.locks[fault.target]:
            self._world.ingests[fault.target].freeze()
            time.sleep(fault.hold_s)
            self._world.ingests[fault.target].thaw()

    def _cut(self, fault: Fault) -> None:
        if fault.kind is Kind.CUT_AGENT:
            link = self._world.agents[fault.target].link
        else:
            other = "broker" if fault.kind is Kind.CUT_INGEST else "postgres"
            link = self._world.links[fault.target, other]
        link.fail(fault.how)
        time.sleep(fault.hold_s)
        link.heal()

    def _fill_disk(self, fault: Fault) -> None:
        """A full disk costs what its agent gives up, which may be the oldest it held; and what comes meanwhile."""
        agent = self._world.agents[fault.target]
        with self._world.locks[fault.target]:
            self._revive(agent)
            oldest_us = min(agent.oldest_us(), now_us())
            if fault.how == "fresh":
                agent.process.stop()
                agent.start()
            agent.fill()
            time.sleep(fault.hold_s)
            agent.empty()
            agent.await_feed()
            self._excuse(agent.feed, oldest_us, now_us(), fault)

    def _step_clock(self, fault: Fault) -> None:
        agent = self._world.agents[fault.target]
        agent.step_clock(float(fault.how))
        time.sleep(fault.hold_s)
        agent.step_clock(0)

    def _burst(self, fault: Fault) -> None:
        self._world.feeds.rate(fault.target, 5)
        time.sleep(fault.hold_s)
        self._world.feeds.rate(fault.target, 1)

    def _restore_agent(self, fault: Fault) -> None:
        agent = self._world.agents[fault.target]
        image = self._world.root / "images" / f"{fault.target}-{fault.number}"
        with self._world.locks[fault.target]:
            self._revive(agent)
            taken_us = now_us()
            agent.image(image)
            time.sleep(fault.hold_s)
            agent.process.kill()
            self._notes.killed()
            agent.restore(image)
            self._excuse(agent.feed, taken_us, agent.start(), fault)
        shutil.rmtree(image)

    def _clone_agent(self, fault: Fault) -> None:
        """Two devices with one name, each with sensors of its own; the clone is killed, and goes on at the end."""
        world, agent = self._world, self._world.agents[fault.target]
        feed = f"{fault.target}.{fault.number}"
        with world.locks[fault.target]:
            self._revive(agent)
            clone = world.agent_beside(agent, world.root / "devices" / feed, feed)
            agent.image(clone.state)
        world.feeds.open(feed, agent.device, clone.socket)
        clone.start()
        time.sleep(fault.hold_s)
        clone.process.kill()
        clone.down_since_us = now_us()
        self._notes.killed()
        world.feeds.rate(feed, 0)

    def _restore_hub(self, fault: Fault) -> None:
        """What was stored since the backup is gone; of that, all that the devices had let go of."""
        assert self._hub_image is not None
        world, image = self._world, self._hub_image
        with world.locks["postgres"]:
            since_us = min([now_us(), *(agent.oldest_us() for agent in world.agents.values())])
            backup = image.take()
        time.sleep(fault.hold_s)
        with world.locks["postgres"]:
            restored_us = image.restore(backup)
        for feed in list(world.feeds.names):
            self._excuse(feed, since_us, restored_us, fault)

    def _revive(self, agent: Agent) -> None:
        """One that ended by itself is told, and started without an excuse."""
        if not agent.process.alive:
            self._notes.died(agent.process)
            agent.start()

    def _excuse(self, feed: str, from_us: int, to_us: int, fault: Fault) -> None:
        self._notes.excuse(feed, from_us - BEFORE_US, to_us + AFTER_US, f"#{fault.number} {fault.kind}")


def bring_back(world: World, agent: Agent) -> None:
    """A clone comes back once more, alone, so that it delivers what it held."""
    feed = agent.feed
    opened_us = agent.start()
    world.feeds.rate(feed, 1)
    world.notes.excuse(
        feed, agent.down_since_us - BEFORE_US, opened_us + AFTER_US, f"{feed} away until the end"
    )
    time.sleep(3)
    world.feeds.rate(feed, 0)
