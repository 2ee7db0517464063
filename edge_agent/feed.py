"""A source of signals, read in a thread of its own: it may be away, come back, or lie about its order.

Reading goes on where the outbox's position says, so a replayable source gives
every reading once, whatever dies. A position that does not rise ends the
connection: nothing after it can be trusted to be new.
"""

import socket
import threading
from random import Random
from typing import Protocol

import structlog

from edge_agent.errors import EdgeError, FeedLostError
from edge_agent.waits import Backoff
from wire.errors import FeedError
from wire.feed import End, FeedReader, FeedWriter, Hello, Open, Reading, connect

log = structlog.get_logger()

RECONNECT = Backoff(first_s=0.2, longest_s=5.0)
OPENING_S = 10.0


class Sink(Protocol):
    """Who takes the readings, in the feed's thread; it may block, which slows the source."""

    def position(self) -> int:
        """The last position taken."""

    def hello(self, hello: Hello) -> None: ...

    def take(self, reading: Reading) -> None: ...

    def ended(self, position: int) -> None:
        """The source has nothing more to give after ``position``."""

    def lost(self) -> None:
        """The source went away after having been heard."""


class Feed:
    """``failure`` is what ended the thread, where that was not the source's fault."""

    def __init__(self, *, source: str, address: str, sink: Sink, random: Random) -> None:
        self.connected = False
        self.ended = False
        self.reason = "not connected yet"
        self.failure: EdgeError | None = None
        self._source = source
        self._address = address
        self._sink = sink
        self._random = random
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 2.0) -> None:
        self._stopping.set()
        sock = self._socket
        if sock is not None:
            _hang_up(sock)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            try:
                self._read_once()
                attempt = 0
            except FeedLostError as error:
                attempt = 0 if self.connected else attempt + 1
                self._note_lost(str(error))
            except EdgeError as error:
                self.failure = error
                return
            self._stopping.wait(RECONNECT.wait(attempt, self._random))

    def _read_once(self) -> None:
        """One connection, from opening to its end, which is always a ``FeedLostError``."""
        try:
            with connect(self._address, timeout_s=OPENING_S) as sock:
                self._socket = sock
                self._converse(sock)
        except (OSError, FeedError) as error:
            raise FeedLostError(f"feed {self._address}: {error}") from error
        finally:
            self._socket = None

    def _converse(self, sock: socket.socket) -> None:
        FeedWriter(sock).send(Open(source=self._source, position=self._sink.position()))
        reader = FeedReader(sock)
        hello = reader.receive()
        if not isinstance(hello, Hello):
            raise FeedError(f"expected a hello, got {type(hello).__name__}")
        sock.settimeout(None)
        self._sink.hello(hello)
        self.connected, self.ended, self.reason = True, False, ""
        log.info("feed connected", address=self._address, replayable=hello.replayable)
        last = self._sink.position()
        while not self._stopping.is_set():
            frame = reader.receive()
            if isinstance(frame, Reading):
                if frame.position <= last:
                    raise FeedError(f"expected a position above {last}, got {frame.position}")
                last = frame.position
                self._sink.take(frame)
            elif isinstance(frame, End):
                self._sink.ended(frame.position)
                self.ended = True
            elif frame is None:
                raise FeedError("the source closed the connection")
            else:
                raise FeedError(f"expected a reading, got {type(frame).__name__}")

    def _note_lost(self, reason: str) -> None:
        if self.connected or self.reason != reason:
            log.info("feed lost", reason=reason)
        if self.connected:
            self._sink.lost()
        self.connected, self.reason = False, reason


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("feed was closed already")
