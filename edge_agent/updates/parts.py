"""What the updates of all use cases of a device share."""

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.updates.deferral import Judge
from edge_agent.updates.disk import Disk
from edge_agent.updates.golden import DeviceFacts
from edge_agent.updates.journal import Journal
from edge_agent.updates.loaded import RunnerFactory
from edge_agent.updates.probation import Limits
from edge_agent.updates.trust import Trust
from wire.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    journal: Journal
    trust: Trust
    disk: Disk
    clock: Clock
    limits: Limits
    device: DeviceFacts
    make_runner: RunnerFactory
    deferral: Judge  # whether a release that is ready may be switched to now
    memory: Callable[[], int | None]  # bytes of memory this agent takes; None: nobody can tell
