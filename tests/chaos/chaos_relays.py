"""A network that can be cut: relays between two parts, each with a switch.

Four ways to fail, for they look different to who waits: ``drop`` resets what is open and refuses what comes,
``stall`` keeps connections open and moves nothing, ``mute`` moves nothing on the way back alone, ``slow`` moves
a little with a delay.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

Target = Callable[[], tuple[str, int] | Path]  # TCP address or Unix socket, asked at every connection

CHUNK = 1 << 16
SLOW_CHUNK, SLOW_DELAY_S = 2048, 0.04  # 50 kB/s each way, and 40 ms on top of each piece
HOWS = ("drop", "stall", "mute", "slow")


class Network:
    """The thread all relays run in."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        made: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return made.result(30)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


class Relay:
    """Listens on a loopback port, or where ``socket`` says, and passes on to ``target``."""

    def __init__(self, network: Network, target: Target, *, socket: Path | None = None) -> None:
        self.port = 0
        self.passed = 0  # bytes
        self._network = network
        self._target = target
        self._how = ""
        self._open: set[asyncio.StreamWriter] = set()
        self._moving = asyncio.Event()
        self._moving.set()
        network.call(self._listen(socket))

    def fail(self, how: str) -> None:
        """From now on the connection is bad in this way; see the module."""
        self._network.call(self._set(how))

    def heal(self) -> None:
        self._network.call(self._set(""))

    async def _listen(self, socket: Path | None) -> None:
        if socket is not None:
            self._server = await asyncio.start_unix_server(self._serve, socket)
            return
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set(self, how: str) -> None:
        self._how = how
        if how == "drop":
            for writer in list(self._open):
                writer.transport.abort()
        if how in ("stall", "mute"):
            self._moving.clear()
        else:
            self._moving.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._how == "drop":
            writer.transport.abort()
            return
        target = self._target()
        try:
            there = await (
                asyncio.open_unix_connection(target)
                if isinstance(target, Path)
                else asyncio.open_connection(*target)
            )
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there[1]}
        ways = [
            asyncio.create_task(self._move(reader, there[1], back=False)),
            asyncio.create_task(self._move(there[0], writer, back=True)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, there[1]):
            self._open.discard(end)
            end.close()

    async def _move(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(SLOW_CHUNK if self._how == "slow" else CHUNK):
                if self._how == "slow":
                    await asyncio.sleep(SLOW_DELAY_S)
                if self._how == "stall" or back:
                    await self._moving.wait()
                writer.write(piece)
                await writer.drain()
                self.passed += len(piece)
