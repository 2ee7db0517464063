"""Live sources: sensors that wait for nobody, a process of their own that no fault touches.

Each writes what it measured to its truth file, then hands it to whoever is connected. Nobody there: it is gone.
A reader that falls behind by more than a sensor's buffer is hung up on. Told by JSON lines on stdin, each
answered with one line: ``open`` a feed, set its ``rate`` (0: it measures nothing), ``end``.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from chaos_truth import KEYS_EACH, MACHINES, SAMPLE, SCALARS, table_of

from wire.feed import Hello, Reading, to_bytes

TICK_S = 0.05
BUFFER = 48 << 10  # bytes a slow reader may lag behind, beside the kernel's
OPENING_S = 5.0


@dataclass(slots=True, kw_only=True)
class Feed:
    name: str
    device: str
    number: int  # of the device
    index: int  # of the feed: no two feeds say the same value
    truth: int
    openings: int
    chance: random.Random
    rate: float = 1.0  # readings a tick and machine
    began: bool = False
    writer: asyncio.StreamWriter | None = None
    position: int = 0
    count: int = 0
    owed: float = 0.0
    last_us: dict[int, int] = field(default_factory=dict)


class Sources:
    def __init__(self, folder: Path, devices: list[str], seed: int) -> None:
        self._folder = folder
        self._devices = devices
        self._seed = seed
        self._feeds: dict[str, Feed] = {}
        self._servers: list[asyncio.Server] = []

    async def open(self, feed: str, device: str, path: str) -> None:
        made = Feed(
            name=feed,
            device=device,
            number=self._devices.index(device),
            index=len(self._feeds),
            truth=_append(self._folder / f"{feed}.samples"),
            openings=_append(self._folder / f"{feed}.openings"),
            chance=random.Random(f"{self._seed} {feed}"),
        )
        self._feeds[feed] = made
        Path(path).unlink(missing_ok=True)
        self._servers.append(await asyncio.start_unix_server(lambda r, w: self._serve(made, r, w), path))

    def rate(self, feed: str, rate: float) -> None:
        self._feeds[feed].rate = rate

    async def measure(self) -> None:
        """Tick for ever, as far behind the clock as this process was held up."""
        due = time.monotonic()
        while True:
            due = max(due + TICK_S, time.monotonic() - 0.5)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for feed in self._feeds.values():
                _tick(feed)

    async def _serve(self, feed: Feed, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Whoever comes last is the reader; a live source counts its positions anew for each."""
        try:
            size = int.from_bytes(await asyncio.wait_for(reader.readexactly(4), OPENING_S), "little")
            await asyncio.wait_for(reader.readexactly(size), OPENING_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.close()
            return
        _hang_up(feed)
        writer.transport.set_write_buffer_limits(high=BUFFER)
        writer.write(to_bytes(Hello(table=table_of(feed.device), replayable=False)))
        feed.writer, feed.position, feed.began = writer, 0, True
        _note(feed, "opened")
        with contextlib.suppress(OSError):
            await reader.read()
        if feed.writer is writer:
            _hang_up(feed)


def _tick(feed: Feed) -> None:
    if not feed.began:
        return
    feed.owed += feed.rate
    readings, feed.owed = int(feed.owed), feed.owed - int(feed.owed)
    if not readings:
        return
    now_us = time.time_ns() // 1000
    made = [
        _read(feed, machine, now_us - (readings - 1 - item) * 500)
        for item in range(readings)
        for machine in range(MACHINES)
    ]
    rows = [
        (feed.number * KEYS_EACH + signal, reading.time_us, value)
        for reading in made
        for signal, value in zip(reading.signals, reading.values, strict=True)
    ]
    os.write(feed.truth, np.array(rows, SAMPLE).tobytes())
    if feed.writer is not None:
        feed.writer.write(b"".join(map(to_bytes, made)))
        if feed.writer.transport.get_write_buffer_size() > BUFFER:
            _hang_up(feed)


def _read(feed: Feed, machine: int, time_us: int) -> Reading:
    """Half of the signals are as coarse as real sensors, half use every bit of a float64."""
    feed.position += 1
    feed.count += 1
    feed.last_us[machine] = max(time_us, feed.last_us.get(machine, 0) + 1)
    coarse = round(feed.index * 100_000 + feed.count * 0.01, 2)
    return Reading(
        position=feed.position,
        machine=machine,
        time_us=feed.last_us[machine],
        signals=tuple(machine * SCALARS + item for item in range(SCALARS)),
        values=tuple(coarse if item % 2 else feed.chance.gauss(feed.index, 1.0) for item in range(SCALARS)),
    )


def _hang_up(feed: Feed) -> None:
    if feed.writer is not None:
        feed.writer.transport.abort()
        feed.writer = None
        _note(feed, "closed")


def _note(feed: Feed, what: str) -> None:
    os.write(feed.openings, f"{what} {time.time_ns() // 1000}\n".encode())


def _append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


async def obey(sources: Sources) -> None:
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    measuring = asyncio.create_task(sources.measure())
    while line := await lines.readline():
        told: dict[str, Any] = json.loads(line)
        match told.pop("do"):
            case "open":
                await sources.open(**told)
            case "rate":
                sources.rate(**told)
            case "end":
                break
        print("done", flush=True)
    measuring.cancel()


if __name__ == "__main__":
    asyncio.run(obey(Sources(Path(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3]))))
