"""A fleet for the benchmark, a process of its own: batches encoded before, sent as fast as marks come.

Not the agent: it only connects, publishes with QoS 1 and listens for commit marks. At most ``WINDOW`` batches
of a device are out unmarked, as a device does it. Commands come by standard input, a line each: ``load FILE``
reads what is to be sent, ``go`` sends it and answers when the last mark has come.
"""

import json
import selectors
import socket
import ssl
import struct
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

WINDOW = 64
AT_ONCE = 8  # packets in one write
PATIENCE_S = 120.0
RECORD = struct.Struct("<HQI")  # device, sequence (0: none can be read), length of the payload

CONNACK, PUBLISH = 0x20, 0x30


def text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


def packet(kind: int, body: bytes) -> bytes:
    """One MQTT control packet."""
    length, left = bytearray(), len(body)
    while True:
        left, digit = left >> 7, left & 127
        length.append(digit | (128 if left else 0))
        if not left:
            return bytes([kind]) + bytes(length) + body


def publish(topic: str, payload: bytes, number: int, *, retain: bool = False) -> bytes:
    """A PUBLISH with QoS 1 and without properties, MQTT 5."""
    return packet(0x33 if retain else 0x32, text(topic) + struct.pack(">HB", number, 0) + payload)


class Link:
    """One device's connection."""

    def __init__(self, plan: dict[str, Any], device: dict[str, Any]) -> None:
        self.name = str(device["name"])
        context = ssl.create_default_context(cafile=plan["ca"])
        context.load_cert_chain(device["certificate"], device["key"])
        plain = socket.create_connection((plan["host"], plan["port"]))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain, server_hostname=plan["host"])
        self.mark = 0
        self._number = 1
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._last = 0
        self._out = memoryview(b"")
        self._in = bytearray()
        self._greet(bytes.fromhex(device["birth"]))

    def _greet(self, birth: bytes) -> None:
        root = f"andon/v1/{self.name}"
        self.socket.sendall(packet(0x10, text("MQTT") + bytes([5, 2, 0, 0, 0]) + text(self.name)))
        answer = self.socket.recv(5)
        if answer[0] != CONNACK or answer[3]:
            raise SystemExit(f"the broker refuses {self.name}: {answer.hex()}")
        subscription = struct.pack(">HB", 1, 0) + text(f"{root}/committed") + bytes([0])
        self.socket.sendall(packet(0x82, subscription) + publish(f"{root}/birth", birth, 2, retain=True))
        self._in += answer[5:]
        self._skip = max(0, answer[1] - 3)  # the rest of the CONNACK
        self.socket.setblocking(False)

    @property
    def done(self) -> bool:
        return not self._waiting and not self._out and self.mark >= self._last

    def add(self, sequence: int, payload: bytes) -> None:
        self._number = self._number % 60_000 + 1
        self._waiting.append((sequence, publish(f"andon/v1/{self.name}/batch", payload, self._number)))
        self._last = max(self._last, sequence)

    def wants_to_send(self) -> bool:
        return bool(self._out or (self._waiting and self._waiting[0][0] <= self.mark + WINDOW))

    def send(self) -> None:
        """Write until the broker takes no more or the window is full."""
        while self.wants_to_send():
            if not self._out:
                chosen: list[bytes] = []
                while len(chosen) < AT_ONCE and self._waiting and self._waiting[0][0] <= self.mark + WINDOW:
                    chosen.append(self._waiting.popleft()[1])
                self._out = memoryview(b"".join(chosen))
            try:
                self._out = self._out[self.socket.send(self._out) :]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return

    def hear(self) -> None:
        """Read what came; of it only marks matter."""
        while True:
            try:
                came = self.socket.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if not came:
                raise SystemExit(f"the broker ended the connection of {self.name}")
            self._in += came
        if self._skip:
            skipped = min(self._skip, len(self._in))
            del self._in[:skipped]
            self._skip -= skipped
        while (taken := self._take()) > 0:
            del self._in[:taken]

    def _take(self) -> int:
        """How long the first packet is; 0 where it has not come whole."""
        length, shift, at = 0, 0, 1
        while True:
            if at >= len(self._in):
                return 0
            length |= (self._in[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if not self._in[at - 1] & 128:
                break
        if at + length > len(self._in):
            return 0
        if self._in[0] & 0xF0 == PUBLISH:
            body = bytes(self._in[at : at + length])
            topic = 2 + int.from_bytes(body[:2])
            self.mark = max(self.mark, json.loads(body[topic + 1 + body[topic] :])["mark"])
        return at + length


def go(links: list[Link]) -> dict[str, float]:
    """Send everything that was loaded; when it began and when the last mark was there."""
    with selectors.DefaultSelector() as selector:
        for link in links:
            selector.register(link.socket, selectors.EVENT_READ, link)
        began, deadline = time.monotonic(), time.monotonic() + PATIENCE_S
        for link in links:
            link.send()
        while not all(link.done for link in links):
            for link in links:
                both = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.wants_to_send() else 0)
                selector.modify(link.socket, both, link)
            for key, _ in selector.select(0.5):
                key.data.hear()
                key.data.send()
            if time.monotonic() > deadline:
                missing = {link.name: link.mark for link in links if not link.done}
                raise SystemExit(f"no marks came for what was sent: {missing}")
        return {"began": began, "ended": time.monotonic()}


def load(file: Path, links: list[Link]) -> int:
    """Make packets of what ``file`` holds; how many."""
    content, at, count = file.read_bytes(), 0, 0
    while at < len(content):
        device, sequence, length = RECORD.unpack_from(content, at)
        at += RECORD.size
        links[device].add(sequence, content[at : at + length])
        at, count = at + length, count + 1
    return count


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    links = [Link(plan, device) for device in plan["devices"]]
    print(json.dumps({"connected": len(links)}), flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "load":
            print(json.dumps({"loaded": load(Path(argument), links)}), flush=True)
        elif command == "go":
            print(json.dumps(go(links)), flush=True)


if __name__ == "__main__":
    main()
