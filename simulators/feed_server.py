"""One process that serves the feeds of any number of devices, each on a socket of its own.

Nothing is emitted ahead of the clock; who comes late or was away catches up as
fast as it can read. Every connection has a thread and reads its source for
itself, so a slow reader holds up nobody and nothing is buffered but the socket.
"""

import selectors
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Protocol

from simulators.errors import SettingError
from wire.clock import MICROSECONDS, Clock
from wire.errors import WireError
from wire.feed import End, FeedReader, FeedWriter, Hello, Open, Reading, connect, listen
from wire.table import SignalTable

OPENING_S = 10.0  # how long a connection may take to say what it wants
HELD_S = 0.05  # between looks at whether it is still held
LONGEST_WAIT_S = 0.5  # between looks at the clock, which may run at any rate


class Source(Protocol):
    """What can be served: the same position is always the same reading."""

    @property
    def table(self) -> SignalTable: ...

    @property
    def replayable(self) -> bool: ...

    @property
    def last_position(self) -> int | None:
        """Where the source is exhausted; None where it never is."""

    def readings(self, after: int) -> Iterator[Reading]: ...

    def samples_until(self, position: int) -> int: ...


class FeedServer:
    """Serves ``sources`` (by device) from :meth:`start` to :meth:`stop`.

    ``tell`` gets a sentence whenever a connection is refused or lost. While
    ``held`` says so, connections stay open and nothing is given out.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        clock: Clock,
        *,
        tell: Callable[[str], None],
        held: Callable[[], bool] = lambda: False,
    ) -> None:
        self._sources = sources
        self._held = held
        self._clock = clock
        self._tell = tell
        self._stopping = Event()
        self._lock = Lock()
        self._listeners: dict[socket.socket, str] = {}
        self._connections: dict[socket.socket, Thread] = {}
        self._emitted: dict[str, int] = {}
        self._acceptor = Thread(target=self._accept, name="feed-accept", daemon=True)

    def start(self, addresses: Mapping[str, str]) -> dict[str, str]:
        """Listen for each device; returns the addresses to connect to (a port 0 is replaced)."""
        try:
            for device, address in addresses.items():
                if _is_served(address):
                    raise SettingError(f"cannot listen on {address}: another process serves it")
                self._listeners[listen(address)] = device
        except (OSError, WireError) as error:
            self.stop()
            raise SettingError(f"cannot listen on {address}: {error}") from error
        self._acceptor.start()
        return {device: _address(listener) for listener, device in self._listeners.items()}

    def emitted(self) -> dict[str, int]:
        """The highest position given out so far, by device."""
        with self._lock:
            return dict(self._emitted)

    def stop(self) -> None:
        """Close every connection and wait for the threads; the sockets' files go too. Twice is once."""
        self._stopping.set()
        if self._acceptor.is_alive():
            self._acceptor.join()
        while self._listeners:
            _discard(self._listeners.popitem()[0])
        with self._lock:
            connections = dict(self._connections)
        for connection, thread in connections.items():
            _hang_up(connection)
            thread.join()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listener, device in self._listeners.items():
                selector.register(listener, selectors.EVENT_READ, (listener, device))
            while not self._stopping.is_set():
                for key, _ in selector.select(timeout=0.2):
                    self._begin(*key.data)

    def _begin(self, listener: socket.socket, device: str) -> None:
        connection, _peer = listener.accept()
        thread = Thread(target=self._serve, args=(connection, device), name=f"feed-{device}", daemon=True)
        with self._lock:
            self._connections[connection] = thread
        thread.start()

    def _serve(self, connection: socket.socket, device: str) -> None:
        try:
            with connection:
                self._converse(connection, device)
        except (OSError, WireError) as error:
            if not self._stopping.is_set():
                self._tell(f"feed of {device}: connection lost: {error}")
        finally:
            with self._lock:
                self._connections.pop(connection, None)

    def _converse(self, connection: socket.socket, device: str) -> None:
        connection.settimeout(OPENING_S)
        reader, writer = FeedReader(connection), FeedWriter(connection)
        opening = reader.receive()
        if opening is None:
            return
        refusal = self._refusal(opening, device)
        if refusal or not isinstance(opening, Open):
            self._tell(f"feed of {device}: refused a connection: {refusal}")
            return
        connection.settimeout(None)
        source = self._sources[device]
        writer.send(Hello(table=source.table, replayable=source.replayable))
        self._stream(writer, device, opening.position)
        if not self._stopping.is_set():
            writer.send(End(position=source.last_position or opening.position))
            reader.receive()  # the agent stays connected as long as it likes

    def _refusal(self, opening: object, device: str) -> str:
        if not isinstance(opening, Open):
            return f"expected it to open with a source and a position, got {type(opening).__name__}"
        if opening.source != device:
            return f"expected source {device}, got {opening.source}"
        last = self._sources[device].last_position
        if last is not None and opening.position > last:
            return f"expected a position of at most {last}, got {opening.position}: is it another recording?"
        return ""

    def _stream(self, writer: FeedWriter, device: str, after: int) -> None:
        for reading in self._sources[device].readings(after):
            if not self._wait_until(reading.time_us):
                return
            # Counted before it is sent: whatever an agent may hold has been counted.
            with self._lock:
                self._emitted[device] = max(self._emitted.get(device, 0), reading.position)
            writer.send(reading)

    def _wait_until(self, time_us: int) -> bool:
        """Wait for the clock; False where the server stops first."""
        while not self._stopping.is_set():
            ahead_us = time_us - self._clock.now_us()
            if self._held():
                self._stopping.wait(HELD_S)
                continue
            if ahead_us <= 0:
                return True
            real_s = self._clock.real_seconds(ahead_us / MICROSECONDS)
            self._stopping.wait(min(max(real_s, 0.0005), LONGEST_WAIT_S))
        return False


def _is_served(address: str) -> bool:
    """Whether someone answers: a Unix socket in use would otherwise be taken over silently."""
    try:
        connect(address, timeout_s=1.0).close()
    except OSError:
        return False
    return True


def _address(listener: socket.socket) -> str:
    name = listener.getsockname()
    return f"unix:{name}" if listener.family == socket.AF_UNIX else f"tcp:{name[0]}:{name[1]}"


def _discard(listener: socket.socket) -> None:
    name = listener.getsockname()
    listener.close()
    if listener.family == socket.AF_UNIX:
        Path(name).unlink(missing_ok=True)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other end was faster
