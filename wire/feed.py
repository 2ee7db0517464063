"""A feed: the local socket over which a source of signals hands readings to an agent.

The agent opens it with the last position it has kept; the source goes on from
there. Back pressure is the socket's: an agent that reads slowly slows the source.
"""

import io
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from wire import feed_pb2 as pb
from wire.errors import FeedError, MessageError
from wire.table import SignalTable

LARGEST_FRAME = 16 << 20
LAST_POSITION = (1 << 63) - 1  # what an agent can keep
IDLE_S, PROBE_S, PROBES = 20, 10, 3  # of silence on TCP until the other host is asked, and how often


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    source: str
    position: int  # the last position kept; 0: from the start


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    table: SignalTable
    replayable: bool  # the same position is always the same reading


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A stretch of a waveform: ``values`` float32 [n] at ``rate_hz``, in the signal's unit."""

    signal: int
    rate_hz: float
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What one machine showed at one moment; every value in ``values`` is one sample."""

    position: int  # strictly rising within a source
    machine: int
    time_us: int
    signals: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The source has nothing more to give after ``position``."""

    position: int


Frame = Open | Hello | Reading | End


def to_bytes(frame: Frame) -> bytes:
    """``frame`` with its length in front."""
    body = _message(frame).SerializeToString()
    return struct.pack("<I", len(body)) + body


class FeedWriter:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, frame: Frame) -> None:
        self._sock.sendall(to_bytes(frame))


class FrameReader:
    """Reads frames from a file or a pipe; a ``FeedError`` is final, for the stream has lost its place."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._file = stream

    def receive(self) -> Frame | None:
        """The next frame, or None where the other end closed between two frames."""
        prefix = self._file.read(4)
        if not prefix:
            return None
        size = struct.unpack("<I", prefix)[0] if len(prefix) == 4 else LARGEST_FRAME + 1
        if size > LARGEST_FRAME:
            raise FeedError(f"expected a frame of at most {LARGEST_FRAME} bytes, got {size}")
        body = self._file.read(size)
        if len(body) != size:
            raise FeedError(f"expected a frame of {size} bytes, the feed ended after {len(body)}")
        try:
            return _frame(pb.Frame.FromString(body))
        except (DecodeError, MessageError, ValueError) as error:
            raise FeedError(f"not a frame of a feed: {error}") from error


class FeedReader(FrameReader):
    """Reads the frames of the other end of a feed."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(io.BufferedReader(sock.makefile("rb", buffering=0), 1 << 16))


def connect(address: str, *, timeout_s: float | None = None) -> socket.socket:
    """A connection to ``unix:/path`` or ``tcp:host:port``; ``OSError`` where nobody listens.

    A host that lost its power or its cable ends no connection: over TCP reading fails a minute later.
    """
    family, target = _target(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout_s)
    try:
        if family == socket.AF_INET:
            _ask_whether_it_lives(sock)
        sock.connect(target)
    except OSError:
        sock.close()
        raise
    return sock


def listen(address: str) -> socket.socket:
    """A listening socket; a Unix one is for this user alone and replaces a dead one's file."""
    family, target = _target(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_UNIX:
            _bind_privately(sock, str(target))
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(target)
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock


def _ask_whether_it_lives(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)


def _bind_privately(sock: socket.socket, path: str) -> None:
    Path(path).unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(before)


def _target(address: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    kind, _, rest = address.partition(":")
    host, _, port = rest.rpartition(":")
    if kind == "unix" and rest:
        return socket.AF_UNIX, rest
    if kind == "tcp" and host and port.isdigit():
        return socket.AF_INET, (host, int(port))
    raise FeedError(f"expected unix:/path or tcp:host:port, got {address!r}")


def _message(frame: Frame) -> pb.Frame:
    match frame:
        case Open():
            return pb.Frame(open=pb.Open(source=frame.source, position=frame.position))
        case Hello():
            return pb.Frame(hello=pb.Hello(table_json=frame.table.to_json(), replayable=frame.replayable))
        case End():
            return pb.Frame(end=pb.End(position=frame.position))
        case Reading():
            windows = [
                pb.Window(signal=w.signal, rate_hz=w.rate_hz, values=w.values.astype("<f4").tobytes())
                for w in frame.windows
            ]
            reading = pb.Reading(
                position=frame.position,
                machine=frame.machine,
                time_us=frame.time_us,
                signals=frame.signals,
                values=frame.values,
                windows=windows,
            )
            return pb.Frame(reading=reading)


def _frame(message: pb.Frame) -> Frame:
    match message.WhichOneof("kind"):
        case "open":
            return Open(source=message.open.source, position=message.open.position)
        case "hello":
            table = SignalTable.from_json(message.hello.table_json)
            return Hello(table=table, replayable=message.hello.replayable)
        case "end":
            return End(position=message.end.position)
        case "reading":
            return _reading(message.reading)
        case _:
            raise MessageError("expected open, hello, reading or end, got another kind of frame")


def _reading(message: pb.Reading) -> Reading:
    if message.position > LAST_POSITION:
        raise MessageError(f"expected a position up to {LAST_POSITION}, got {message.position}")
    if len(message.signals) != len(message.values):
        raise MessageError(
            f"reading {message.position}: expected a value a signal, "
            f"got {len(message.values)} for {len(message.signals)}"
        )
    return Reading(
        position=message.position,
        machine=message.machine,
        time_us=message.time_us,
        signals=tuple(message.signals),
        values=tuple(message.values),
        windows=tuple(
            Window(signal=w.signal, rate_hz=w.rate_hz, values=np.frombuffer(w.values, "<f4"))
            for w in message.windows
        ),
    )
