"""What arrives at the real listener that no browser sends: it is answered in words or cut, and holds nobody else up."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cloud_hub.config import HubConfig
from cloud_hub.console.main import THREADS
from tests.console.test_console_browser import config, served  # noqa: F401 - fixtures

PATIENCE_S = 30.0
TEN_MB = 10 << 20


@pytest.fixture
def port(config: HubConfig, served: subprocess.Popen[bytes]) -> int:  # noqa: F811
    return config.web.port


def ask(port: int, *pieces: bytes) -> bytes:
    """Send ``pieces`` as they are; what comes back until the other side is done or says no more for a while."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as wire:
        for piece in pieces:
            try:
                wire.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break  # it heard enough
        return b"".join(_until_whole(wire))


def _until_whole(wire: socket.socket) -> Iterator[bytes]:
    told = b""
    while not _is_whole(told):
        try:
            piece = wire.recv(1 << 16)
        except ConnectionResetError:
            return
        if not piece:
            return
        told += piece
        yield piece


def _is_whole(told: bytes) -> bool:
    head, found, body = told.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(found and length and len(body) >= int(length[1]))


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(found[1]) if found else 0


def lives(port: int) -> bool:
    answer = ask(port, b"GET /healthz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    return status(answer) == 200 and b'"ok"' in answer


REQUEST_LINES = (
    b"GET /machines/\xff\xfe HTTP/1.1",
    b"GET /?text=\xff\xfe HTTP/1.1",
    b"GET /machines/%ff%fe HTTP/1.1",
    b"GET /?" + b"a" * 10_000 + b" HTTP/1.1",
    b"GET //evil.example/ HTTP/1.1",
    b"GET http://evil.example/ HTTP/1.1",
    b"GET /../../etc/passwd HTTP/1.1",
    b"GET /static/..%2f..%2fapp.py HTTP/1.1",
    b"GET / HTTP/9.9",
    b"\x16\x03\x01\x02\x00\x01\x00\x01",
)
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


def test_nothing_that_arrives_breaks_the_listener(port: int) -> None:
    _check_ten_megabytes(port)
    for line in REQUEST_LINES:
        told = ask(port, line + b"\r\nHost: hub\r\nConnection: close\r\n\r\n")
        assert status(told) in (0, 200, 303, 308, 400, 401, 404, 414, 431, 505), told[:200]
        assert b"Our mistake" not in told
        assert b"evil.example" not in told.partition(b"\r\n\r\n")[0]
        assert lives(port)
    _check_open_ends(port)


def _check_ten_megabytes(port: int) -> None:
    """They are refused in words, and the listener goes on."""
    head = b"POST /login HTTP/1.1\r\nHost: hub\r\n" + FORM
    told = ask(port, head + b"Content-Length: %d\r\n\r\n" % TEN_MB, b"name=" + b"x" * (TEN_MB - 5))
    assert status(told) in (413, 0)  # 0: cut while it was still sending
    asked = ask(port, head + b"Content-Length: %d\r\n\r\n" % TEN_MB)  # only announced
    assert status(asked) == 413
    assert b"exceeds the capacity limit" in asked or b"too large" in asked.lower()
    chunks = (b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in range(TEN_MB >> 16))
    told = ask(port, head + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n")
    assert status(told) in (400, 403, 411, 413, 0)
    assert lives(port)


def _check_open_ends(port: int) -> None:
    """Who begins forms and never ends them holds no page up, and is told so when another comes."""
    with ExitStack() as open_ends:
        for number in range(3 * THREADS):
            wire = open_ends.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
            head = b"POST /login HTTP/1.1\r\nHost: hub\r\n" + FORM + b"Content-Length: 100\r\n\r\nname="
            wire.sendall(head if number % 2 else head[:40])
        assert lives(port)
        form = (
            b"POST /login HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n"
            + FORM
            + b"Content-Length: 6\r\n\r\nname=a"
        )
        told = ask(port, form)
        assert status(told) == 503
        assert b"Too many forms are on their way" in told
    while status(ask(port, form)) == 503:
        pass  # until the listener has seen that they are gone
    assert status(ask(port, form)) == 403  # no cookie came along: the form is read again
