"""What every story does: roll a release out, wait until all has arrived, count it."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from simulators.demo.errors import DemoError
from simulators.demo.factory import Factory
from simulators.demo.facts import Fact, equal, told
from simulators.demo.progress import Stage

LOOK_EVERY_S = 0.5
PATIENCE_S = 90.0
ENDED = ("done", "halted", "aborted", "undone")

Rollout = dict[str, Any]


def roll_out(
    factory: Factory, release: str, *plan: str, stage: Stage, look: Callable[[Rollout], None] = lambda _: None
) -> Rollout:
    """Start a rollout of ``release`` and follow it to its end; ``look`` sees every state on the way."""
    started = factory.commands.json("rollout", "start", release, *plan)["rollout"]
    while True:
        status = factory.commands.json("rollout", "status", started["id"])
        now: Rollout = status["rollout"] | {"devices": status["devices"]}
        states = [device["state"] for device in now["devices"]]
        stage.tell(f"wave {now['wave']}: " + ", ".join(f"{states.count(s)} {s}" for s in sorted({*states})))
        if now["state"] in ENDED:
            return now
        factory.check()
        look(now)
        time.sleep(LOOK_EVERY_S)


def produced(factory: Factory, source: str) -> dict[str, dict[str, int]]:
    """What a source has given out, by device: position, readings, samples."""
    found: dict[str, dict[str, int]] = json.loads((factory.truth(source) / "produced.json").read_text())
    return found


def await_arrival(factory: Factory, source: str) -> None:
    """Wait until every agent of ``source`` has handed over all it read; the source must be still."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        factory.check()
        wanted = {device: row["position"] for device, row in produced(factory, source).items()}
        found = {device: factory.agent(device) for device in wanted}
        if all(agent.position == wanted[name] and not agent.waiting for name, agent in found.items()):
            return
        time.sleep(LOOK_EVERY_S)
    left = {name: agent for name, agent in found.items() if agent.waiting or agent.position != wanted[name]}
    raise DemoError(f"not everything arrived within {PATIENCE_S:.0f} s: {left}; the sources are at {wanted}")


def count_samples(factory: Factory, sources: Iterable[str]) -> list[Fact]:
    """What the sources gave out against what the database holds."""
    stored = factory.commands.json("data", "facts")
    rows = {device: row["samples"] for source in sources for device, row in produced(factory, source).items()}
    by_device = [
        equal(f"samples stored from {device}", stored["samples_by_device"].get(device, 0), samples)
        for device, samples in sorted(rows.items())
    ]
    return [
        *by_device,
        equal(
            "samples produced = samples stored", sum(stored["samples_by_device"].values()), sum(rows.values())
        ),
        told("batches settled", f"{sum(stored['batches'].values()):,}"),
        told("batches resent and deduplicated", sum(stored["resent"].values())),
        equal("messages in quarantine", sum(stored["quarantined"].values()), 0),
    ]
