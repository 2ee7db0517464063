"""The feed server over real sockets: resume, pace, slow readers, rude ones, and what the truth counts."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from simulators.errors import SettingError
from simulators.feed_server import FeedServer
from simulators.plant import Plant
from simulators.schedule import plan
from wire.clock import Clock
from wire.feed import End, FeedReader, FeedWriter, Frame, Hello, Open, Reading, connect, to_bytes

LONG_AGO = Clock.parse(
    "2025-01-01T00:00:00Z,1000000,1750000000.0"
)  # has caught up: everything is in the past


def plant(clock: Clock = LONG_AGO, *, interval_s: float = 1200) -> Plant:
    schedule = plan(clock, begin_us=clock.start_us, interval_s=interval_s, window_s=6 * interval_s)
    return Plant(seed=5, devices=("sim-1", "sim-2"), machines_per_device=2, life_days=4, schedule=schedule)


@contextmanager
def serving(
    folder: Path, made: Plant, clock: Clock, tell: Callable[[str], None] = lambda _sentence: None
) -> Iterator[tuple[FeedServer, dict[str, str]]]:
    server = FeedServer(made.sources(), clock, tell=tell)
    addresses = server.start({device: f"unix:{folder / device}.sock" for device in made.devices})
    try:
        yield server, addresses
    finally:
        server.stop()


@contextmanager
def reading_from(address: str, device: str, position: int) -> Iterator[FeedReader]:
    with closing(connect(address, timeout_s=20)) as sock:
        FeedWriter(sock).send(Open(source=device, position=position))
        reader = FeedReader(sock)
        with closing(reader._file):
            assert isinstance(reader.receive(), Hello)
            yield reader


def take(reader: FeedReader, count: int) -> list[bytes]:
    """The next ``count`` frames, as the bytes they came as."""
    return [to_bytes(frame) for frame in islice(iter(reader.receive, None), count)]


def positions(reader: FeedReader, count: int) -> list[int]:
    frames: list[Frame] = list(islice(iter(reader.receive, None), count))
    return [frame.position for frame in frames if isinstance(frame, Reading)]


def test_a_reader_that_died_in_mid_stream_gets_the_same_readings_again(state_root: Path) -> None:
    with serving(state_root, plant(), LONG_AGO) as (_server, addresses):
        with reading_from(addresses["sim-1"], "sim-1", 0) as reader:
            whole = take(reader, 600)
        with reading_from(addresses["sim-1"], "sim-1", 0) as reader:
            first = [frame for frame in islice(iter(reader.receive, None), 250) if isinstance(frame, Reading)]
        with reading_from(addresses["sim-1"], "sim-1", first[199].position) as reader:
            rest = take(reader, 400)
    assert [to_bytes(frame) for frame in first[:200]] + rest == whole


def test_a_restarted_server_goes_on_with_the_same_readings(state_root: Path) -> None:
    seen = []
    for _start in range(2):
        with (
            serving(state_root, plant(), LONG_AGO) as (_server, addresses),
            reading_from(addresses["sim-2"], "sim-2", 77) as reader,
        ):
            seen.append(take(reader, 50))
    assert seen[0] == seen[1]


def test_counts_of_the_truth_equal_what_came_over_the_socket(state_root: Path) -> None:
    made = plant()
    with serving(state_root, made, LONG_AGO) as (server, addresses):
        with reading_from(addresses["sim-1"], "sim-1", 0) as reader:
            frames = [
                frame for frame in islice(iter(reader.receive, None), 3000) if isinstance(frame, Reading)
            ]
        counted = server.emitted()
    samples = sum(len(frame.values) for frame in frames)
    assert made.sources()["sim-1"].samples_until(frames[-1].position) == samples
    assert counted["sim-1"] >= frames[-1].position  # the socket holds a few more
    assert "sim-2" not in counted


def test_nothing_is_emitted_ahead_of_the_clock(state_root: Path) -> None:
    clock = Clock(start_us=LONG_AGO.start_us, factor=36_000.0, anchor=time.time())
    with (
        serving(state_root, plant(clock, interval_s=1800), clock) as (_server, addresses),
        reading_from(addresses["sim-1"], "sim-1", 0) as reader,
    ):
        for frame in islice(iter(reader.receive, None), 60):
            assert isinstance(frame, Reading)
            assert frame.time_us <= clock.now_us()
        assert frame.time_us > clock.now_us() - 2 * 3_600_000_000  # and not much behind it


def test_a_late_reader_catches_up(state_root: Path) -> None:
    clock = Clock(start_us=LONG_AGO.start_us, factor=36_000.0, anchor=time.time() - 60)
    began = time.monotonic()
    with (
        serving(state_root, plant(clock, interval_s=1800), clock) as (_server, addresses),
        reading_from(addresses["sim-1"], "sim-1", 0) as reader,
    ):
        assert len(positions(reader, 1000)) == 1000  # 25 s of clock at 20 ticks a second
    assert time.monotonic() - began < 12


def test_a_reader_that_does_not_read_holds_up_nobody(state_root: Path) -> None:
    with (
        serving(state_root, plant(), LONG_AGO) as (_server, addresses),
        reading_from(addresses["sim-1"], "sim-1", 0),
        reading_from(addresses["sim-2"], "sim-2", 0) as lively,
    ):
        time.sleep(0.2)  # the first one's socket is full by now
        assert len(positions(lively, 500)) == 500


def test_stopping_ends_connections_that_wait_and_connections_that_are_stuck(state_root: Path) -> None:
    with (
        serving(state_root, plant(), LONG_AGO) as (server, addresses),
        reading_from(addresses["sim-1"], "sim-1", 0),
    ):
        time.sleep(0.2)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 3
    assert not list(state_root.glob("*.sock"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feed-")]


@pytest.mark.parametrize(
    ("rudeness", "sentence"),
    [
        (to_bytes(Open(source="sim-2", position=0)), "expected source sim-1, got sim-2"),
        (to_bytes(End(position=3)), "got End"),
        (b"GET / HTTP/1.1\r\n\r\n", "expected a frame of at most"),
        (b"\x04\x00\x00\x00\xff\xff\xff\xff", "not a frame"),
    ],
)
def test_a_stranger_is_refused_with_a_sentence_and_others_are_served(
    state_root: Path, rudeness: bytes, sentence: str
) -> None:
    told: list[str] = []
    with serving(state_root, plant(), LONG_AGO, told.append) as (_server, addresses):
        with closing(connect(addresses["sim-1"], timeout_s=10)) as sock:
            sock.sendall(rudeness)
            assert sock.recv(1) == b""
        with reading_from(addresses["sim-1"], "sim-1", 0) as reader:
            assert positions(reader, 5)
    assert any(sentence in line for line in told), told


def test_a_feed_over_tcp_finds_a_free_port() -> None:
    made = replace(plant(), devices=("sim-1",))
    server = FeedServer(made.sources(), LONG_AGO, tell=lambda _sentence: None)
    addresses = server.start({"sim-1": "tcp:127.0.0.1:0"})
    try:
        with reading_from(addresses["sim-1"], "sim-1", 0) as reader:
            assert positions(reader, 3)
    finally:
        server.stop()


def test_a_second_server_does_not_take_over_the_sockets_of_the_first(state_root: Path) -> None:
    with serving(state_root, plant(), LONG_AGO) as (_server, addresses):
        rival = FeedServer(plant().sources(), LONG_AGO, tell=lambda _sentence: None)
        with pytest.raises(SettingError, match="another process serves it"):
            rival.start(addresses)
        with reading_from(addresses["sim-1"], "sim-1", 0) as reader:
            assert positions(reader, 3)


def test_an_address_in_use_is_one_sentence() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        made = replace(plant(), devices=("sim-1",))
        server = FeedServer(made.sources(), LONG_AGO, tell=lambda _sentence: None)
        with pytest.raises(SettingError, match="cannot listen on tcp:"):
            server.start({"sim-1": f"tcp:127.0.0.1:{taken.getsockname()[1]}"})
