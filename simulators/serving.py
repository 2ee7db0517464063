"""A source process from its ready line to SIGTERM: serve the feeds, keep the truth, stop cleanly."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Protocol

from simulators.errors import SettingError
from simulators.feed_server import FeedServer, Source
from simulators.truth import Truth
from wire.clock import Clock

TRUTH_EVERY_S = 1.0


class Counted(Source, Protocol):
    """A source that knows what it has produced up to a position."""

    def readings_until(self, position: int) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where feeds are offered: a folder for Unix sockets, or a host for TCP."""

    socket_dir: Path | None = None
    tcp_host: str = ""

    def addresses(self, devices: tuple[str, ...]) -> dict[str, str]:
        if (self.socket_dir is None) == (not self.tcp_host):
            raise SettingError("expected either --socket-dir or --tcp, got both or neither")
        if self.socket_dir is None:
            return dict.fromkeys(devices, f"tcp:{self.tcp_host}:0")
        try:
            self.socket_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(f"cannot make the folder {self.socket_dir} for sockets: {error}") from error
        return {device: f"unix:{self.socket_dir.resolve() / device}.sock" for device in devices}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    sources: Mapping[str, Counted]
    addresses: Mapping[str, str]
    clock: Clock
    truth: Truth
    ready: Callable[[Mapping[str, Any]], None]  # told once, with the real addresses
    tell: Callable[[str], None]
    note: Callable[[], None] = lambda: None  # called with every update of the truth

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Must be called in the main thread."""
        # A SimpleQueue may be put to by a signal handler at any instant; an Event's lock may be held by us.
        signalled: SimpleQueue[int] = SimpleQueue()

        def stop(number: int, _frame: FrameType | None) -> None:
            signalled.put(number)

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        server = FeedServer(self.sources, self.clock, tell=self.tell, held=self.truth.held)
        earlier = {device: row.get("position", 0) for device, row in self.truth.produced().items()}
        addresses = server.start(self.addresses)
        try:
            self._keep(server, earlier)
            self.ready(self._introduction(addresses))
            while not _waited(signalled):
                self._keep(server, earlier)
        finally:
            server.stop()
            self._keep(server, earlier)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _keep(self, server: FeedServer, earlier: Mapping[str, int]) -> None:
        emitted = server.emitted()
        produced = {}
        for device, source in self.sources.items():
            position = max(emitted.get(device, 0), earlier.get(device, 0))
            produced[device] = {
                "position": position,
                "readings": source.readings_until(position),
                "samples": source.samples_until(position),
            }
        self.truth.write_produced(produced)
        self.note()

    def _introduction(self, addresses: Mapping[str, str]) -> dict[str, Any]:
        return {
            "addresses": dict(addresses),
            "machines": {
                device: [machine.name for machine in source.table.machines]
                for device, source in self.sources.items()
            },
            "clock": str(self.clock),
            "truth": str(self.truth.folder),
        }


def _waited(signalled: SimpleQueue[int]) -> bool:
    """Whether a signal came before it was time to update the truth."""
    try:
        signalled.get(timeout=TRUTH_EVERY_S)
    except Empty:
        return False
    return True
