import socket
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wire.errors import FeedError
from wire.feed import (
    LAST_POSITION,
    End,
    FeedReader,
    FeedWriter,
    Frame,
    Hello,
    Open,
    Reading,
    Window,
    connect,
    listen,
    to_bytes,
)
from wire.table import Machine, SignalTable

TABLE = SignalTable(machines=(Machine(name="pump-1", machine_class="motor-pump"),), signals=())
READING = Reading(position=4, machine=0, time_us=9, signals=(0, 2), values=(1.5, float("nan")))


def through(*frames: Frame) -> list[Frame | None]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for frame in frames:
            FeedWriter(ours).send(frame)
        ours.shutdown(socket.SHUT_WR)
        reader = FeedReader(theirs)
        return [reader.receive() for _ in range(len(frames) + 1)]


def test_frames_survive_the_socket() -> None:
    frames = (Open(source="sim-1", position=3), Hello(table=TABLE, replayable=True), End(position=8))
    assert through(*frames) == [*frames, None]


def test_a_reading_and_its_windows_survive_the_socket() -> None:
    wave = np.linspace(-1, 1, 4096, dtype=np.float32)
    (found, _) = through(
        Reading(position=1, machine=2, time_us=5, windows=(Window(signal=1, rate_hz=12_800, values=wave),))
    )
    assert isinstance(found, Reading)
    assert (found.machine, found.time_us, found.windows[0].rate_hz) == (2, 5, 12_800)
    np.testing.assert_array_equal(found.windows[0].values, wave)


def test_a_unix_feed_is_for_its_user_alone(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/feed"
    (tmp_path / "feed").write_text("left by a dead process")
    with listen(address) as server:
        assert (tmp_path / "feed").stat().st_mode & 0o077 == 0
        with connect(address, timeout_s=5) as client, server.accept()[0] as agent:
            agent.sendall(to_bytes(READING))
            assert isinstance(FeedReader(client).receive(), Reading)


@pytest.mark.parametrize(
    "payload",
    [
        struct.pack("<I", 1 << 30),
        struct.pack("<I", 10) + b"abc",
        b"ab",
        struct.pack("<I", 3) + b"\xff\xff\xff",
        struct.pack("<I", 0),
        struct.pack("<I", 5) + b"\x1a\x03\x22\x01\x01",  # a signal without its value
    ],
)
def test_what_is_no_frame_is_refused(payload: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(payload)
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(FeedError):
            FeedReader(theirs).receive()


@pytest.mark.parametrize("address", ["", "unix:", "tcp:host", "tcp::1", "http://x", "tcp:localhost:http"])
def test_an_unreadable_address_is_refused(address: str) -> None:
    with pytest.raises(FeedError, match="expected unix:/path"):
        connect(address)


def test_a_feed_that_cannot_be_offered_leaves_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"path too long|No such file"):
        listen(f"unix:{tmp_path}/nowhere/feed")


def test_a_position_that_no_agent_can_keep_is_refused_by_name() -> None:
    last = replace(READING, position=LAST_POSITION)
    assert [getattr(frame, "position", None) for frame in through(last)] == [LAST_POSITION, None]
    with pytest.raises(FeedError, match=f"a position up to {LAST_POSITION}, got {LAST_POSITION + 1}"):
        through(replace(READING, position=LAST_POSITION + 1))


def test_a_host_that_is_dead_does_not_hold_a_connection_for_ever() -> None:
    with listen("tcp:127.0.0.1:0") as server:
        port = server.getsockname()[1]
        with connect(f"tcp:127.0.0.1:{port}", timeout_s=5) as client:
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            asked = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            idle_s, probe_s, probes = (client.getsockopt(socket.IPPROTO_TCP, each) for each in asked)
    assert idle_s + probe_s * probes <= 60
