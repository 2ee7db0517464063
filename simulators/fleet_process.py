"""One process of a simulated fleet: enrol its devices, connect them, serve them until it is told to stop.

It says on a pipe how far it is; where nobody reads that any more, it ends.
"""

import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from simulators.errors import SimulatorError
from simulators.fleet_device import Device
from simulators.fleet_enrolment import Enrolment
from simulators.fleet_faults import Faults
from simulators.fleet_identity import StateFolder
from simulators.fleet_loop import Loop
from simulators.fleet_trust import Trust
from simulators.fleet_updates import Pace
from simulators.fleet_world import Kind, World
from wire.clock import Clock

TELL_S = 0.5
FAREWELL_S = 2.0  # for what is out to be settled, and again for the goodbyes


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one process simulates; it crosses to it pickled."""

    number: int
    state: StateFolder
    devices: Sequence[str]
    tokens: Mapping[str, str] = field(repr=False)  # of those without an identity
    url: str
    kind: Kind
    faults: Faults
    pace: Pace
    clock: str


class Stopped(Exception):  # noqa: N818 - no error: a request
    """This process is asked to end."""


class FleetProcess:
    def __init__(self, task: Task, pipe: Connection) -> None:
        self._task = task
        self._pipe = pipe
        self._stopping = False
        self._told = 0.0
        self._devices: list[Device] = []
        self._loop = Loop()
        self._counts: Counter[str] = Counter()

    def run(self) -> None:
        """Until SIGTERM, SIGINT, or the end of whoever reads the pipe."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            self._enrol()
            self._make()
            self._connect()
            while True:
                self._turn()
        except Stopped:
            self._leave()
        except SimulatorError as error:
            self._say(failed=str(error))
        finally:
            self._loop.close()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _enrol(self) -> None:
        if self._task.tokens:
            authority = self._task.state.authority.read_bytes()
            enrolment = Enrolment(self._task.url, authority, self._task.state)
            enrolment.enrol_all(self._task.tokens, self._asked, lambda count: self._tell(enrolled=count))
        self._tell(at_once=True, enrolled=len(self._task.tokens))

    def _make(self) -> None:
        task = self._task
        hub = task.state.hub()
        folder = task.state.folder / f"tuf-{task.number}"
        authority = task.state.trusting()
        trust = Trust(folder, url=task.url or hub.url, root=task.state.root.read_bytes(), tls=authority)
        world = World(
            hub=hub,
            state=task.state,
            kind=task.kind,
            faults=task.faults,
            pace=task.pace,
            clock=Clock.parse(task.clock),
            trust=trust,
            loop=self._loop,
            random=random.Random(task.number),  # noqa: S311 - spreads devices in time, guards nothing
            tell=lambda reason: self._say(trouble=reason),
            counts=self._counts,
        )
        for name in task.devices:
            identity, memory = task.state.load(name)
            task.state.forget(name)
            self._devices.append(Device(identity, memory, world, epoch=secrets.randbits(64)))

    def _connect(self) -> None:
        for device in self._devices:
            device.connect()
            self._turn(wait=False)

    def _turn(self, *, wait: bool = True) -> None:
        if self._asked():
            raise Stopped
        self._loop.turn(wait=wait)
        self._tell()

    def _leave(self) -> None:
        self._until(lambda: not any(device.unsettled for device in self._devices if device.online))
        for device in self._devices:
            device.leave()
        self._until(lambda: not any(device.busy for device in self._devices))
        for device in self._devices:
            device.keep()
        self._say(ended=dict(self._counts))

    def _until(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + FAREWELL_S
        while not reached() and time.monotonic() < deadline:
            self._loop.turn()

    def _asked(self) -> bool:
        return self._stopping

    def _tell(self, *, at_once: bool = False, **progress: int) -> None:
        """Say how far it is, if it is time."""
        now = time.monotonic()
        if at_once or now - self._told >= TELL_S:
            self._told = now
            online = sum(device.online for device in self._devices)
            self._say(connected=online, counts=dict(self._counts), **progress)

    def _say(self, **words: Any) -> None:
        try:
            self._pipe.send(words)
        except OSError:  # nobody is there any more
            self._stopping = True


def main(task: Task, pipe: Connection) -> None:
    """What runs in the process."""
    FleetProcess(task, pipe).run()
