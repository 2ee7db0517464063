"""A fleet of light devices in a few processes: start them, say how far they are, end them in order.

Each device has a key, a certificate and a TLS connection of its own; what they share is
processor time, so a large fleet takes a while to connect.
"""

import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Any

from simulators import fleet_process
from simulators.errors import SettingError, SimulatorError
from simulators.fleet_enrolment import authority_of
from simulators.fleet_faults import Fault, Faults
from simulators.fleet_identity import StateFolder, choose, read_tokens, write
from simulators.fleet_process import Task
from simulators.fleet_updates import Pace
from simulators.fleet_world import Kind

LOOK_S = 0.5
END_S = 30.0


class FleetError(SimulatorError):
    """The fleet could not be brought up, or ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``tokens``: a file with one for each device that has no identity in ``state`` yet."""

    devices: int
    state: Path
    url: str = ""
    tokens: Path | None = None
    processes: int = 2
    kind: Kind = field(default_factory=Kind)
    faults: Faults = field(default_factory=Faults)
    pace: Pace = field(default_factory=Pace)
    clock: str = ""


@dataclass(slots=True)
class Part:
    """One process, and what it said last."""

    process: SpawnProcess
    pipe: Connection
    enrolled: int = 0
    enrolled_at: float = 0.0  # when it had enrolled all of its devices
    connected: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ended: bool = False


class Fleet:
    """``ready`` is called once, when all are connected; ``tell`` with every change before."""

    def __init__(
        self,
        request: Request,
        *,
        ready: Callable[[Mapping[str, Any]], None],
        tell: Callable[[str], None],
    ) -> None:
        self._request = request
        self._ready = ready
        self._tell = tell
        self._stopping = False
        self._parts: list[Part] = []

    def run(self) -> Counter[str]:
        """Until SIGTERM or SIGINT; what happened, counted. Must be called in the main thread."""
        tasks = split(self._request)
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._parts = [_start(task) for task in tasks]
            self._serve(tasks)
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)
        return sum((part.counts for part in self._parts), Counter())

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _serve(self, tasks: list[Task]) -> None:
        devices = sum(len(task.devices) for task in tasks)
        began, told = time.monotonic(), ""
        while not self._stopping and self._connected < devices:
            self._hear(LOOK_S)
            line = _progress(tasks, self._parts)
            if line != told:
                self._tell(line)
            told = line
        if not self._stopping:
            self._ready(_introduction(tasks, self._seconds(began)))
        while not self._stopping:
            self._hear(LOOK_S)

    @property
    def _connected(self) -> int:
        return sum(part.connected for part in self._parts)

    def _seconds(self, began: float) -> dict[str, float]:
        """How long it took until all were enrolled, and from then until all were connected."""
        enrolled = max(part.enrolled_at for part in self._parts)
        return {
            "enrolled": round(enrolled - began, 2),
            "connected": round(time.monotonic() - enrolled, 2),
        }

    def _hear(self, seconds: float) -> None:
        """Take what the processes say within ``seconds``; one that ended by itself ends all."""
        for pipe in wait([part.pipe for part in self._parts if not part.ended], seconds):
            part = next(part for part in self._parts if part.pipe is pipe)
            try:
                words = part.pipe.recv()
            except (EOFError, OSError) as error:
                part.ended = True
                if self._stopping:
                    continue
                raise FleetError("a process of the fleet ended by itself: see what it said above") from error
            self._take(part, words)

    def _take(self, part: Part, words: Mapping[str, Any]) -> None:
        if "failed" in words and not self._stopping:
            raise FleetError(words["failed"])
        if "trouble" in words:
            self._tell(words["trouble"])
        if "enrolled" in words:
            part.enrolled, part.enrolled_at = words["enrolled"], time.monotonic()
        part.connected = words.get("connected", part.connected)
        part.counts = Counter(words.get("ended", words.get("counts", part.counts)))
        part.ended = part.ended or "ended" in words

    def _end(self) -> None:
        """Have every process say goodbye; one that does not in time is killed."""
        self._stopping = True
        for part in self._parts:
            if part.process.is_alive():
                part.process.terminate()
        for part in self._parts:
            while not part.ended and part.pipe.poll(END_S):
                self._hear(0)
            part.process.join(END_S)
            if part.process.is_alive():
                part.process.kill()
                part.process.join()


def split(request: Request) -> list[Task]:
    """What each process simulates; the hub is recognised, and nothing else is asked of it."""
    if request.processes < 1:
        raise SettingError(f"expected --processes from 1, got {request.processes}")
    state = StateFolder(request.state)
    tokens = read_tokens(request.tokens) if request.tokens else {}
    known = state.known()
    names = choose(request.devices, tokens=tokens, known=known)
    missing = [name for name in names if name not in known]
    state.prepare()
    if missing:
        if not request.url:
            raise SettingError(f"{len(missing)} devices are to be enrolled: say with which hub by --hub URL")
        write(state.authority, authority_of(request.url, tokens[missing[0]]))
    count = min(request.processes, len(names))
    return [
        Task(
            number=number,
            state=state,
            devices=names[number::count],
            tokens={name: tokens[name] for name in names[number::count] if name not in known},
            url=request.url,
            kind=request.kind,
            faults=request.faults,
            pace=request.pace,
            clock=request.clock,
        )
        for number in range(count)
    ]


def _start(task: Task) -> Part:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=fleet_process.main, args=(task, theirs), name=f"fleet-{task.number}")
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    return Part(process, ours)


def _introduction(tasks: Iterable[Task], seconds: Mapping[str, float]) -> dict[str, Any]:
    """How many there are, how long it took, and which of them were drawn to misbehave."""
    names = sorted(name for task in tasks for name in task.devices)
    faults = next(iter(tasks)).faults
    drawn = {name: faults.of_device(name) for name in names}
    chosen = {
        str(fault): [name for name in names if drawn[name] is fault] for fault in Fault if fault != Fault.NONE
    }
    return {"devices": len(names), "faults": chosen, "seconds": dict(seconds)}


def _progress(tasks: Iterable[Task], parts: Sequence[Part]) -> str:
    tokens = sum(len(task.tokens) for task in tasks)
    enrolled = sum(part.enrolled for part in parts)
    if enrolled < tokens:
        return f"{enrolled} of {tokens} enrolled"
    connected = sum(part.connected for part in parts)
    return f"{connected} of {sum(len(task.devices) for task in tasks)} connected"
