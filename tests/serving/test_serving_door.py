"""What the door lets wait, and what it does not: in this process, with short patience."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cloud_hub.identity.ca import Authority
from cloud_hub.serving import door, protocol
from cloud_hub.serving.door import Door
from cloud_hub.serving.guests import Guest, Guests, RefusedError
from wire.scoring import LARGEST

HEADERS = [(b"content-type", b"application/json")]


class Answers:
    """The application behind the door: what came in, and an answer."""

    def __init__(self, waits_s: float = 0.0) -> None:
        self.bodies: list[bytes] = []
        self._waits_s = waits_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(self._waits_s)
        self.bodies.append(scope["state"]["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


class EveryGuest(Guests):
    """Lets everybody in."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))

    def admit(self, certificate: bytes | None) -> Guest:
        name = (certificate or b"").decode()
        return Guest(name=name, serial=1, ends=datetime.max.replace(tzinfo=UTC))


def visit(
    app: Any, receive: Callable[[], Awaitable[Any]], headers: list[tuple[bytes, bytes]] = HEADERS
) -> tuple[int, Any]:
    """One POST /score through the door: status and what it says."""
    refused: list[int] = []
    return asyncio.run(through(Door(app, EveryGuest(), own="hub", refused=refused.append), receive, headers))


async def through(
    before: Door,
    receive: Callable[[], Awaitable[Any]],
    headers: list[tuple[bytes, bytes]] = HEADERS,
    *,
    name: bytes = b"press-04",
) -> tuple[int, Any]:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/score",
        "headers": headers,
        "extensions": {"certificate": name},
    }
    await before(scope, receive, send)
    return said[0]["status"], json.loads(said[1]["body"])


def parts(*bodies: bytes) -> Callable[[], Awaitable[Any]]:
    rest = list(bodies)

    async def receive() -> Any:
        return {"type": "http.request", "body": rest.pop(0), "more_body": bool(rest)}

    return receive


async def nothing_comes() -> Any:
    await asyncio.sleep(60)


def test_a_body_that_comes_in_parts_is_one_question() -> None:
    app = Answers()
    assert visit(app, parts(b"[1", b",2]"))[0] == 200
    assert app.bodies == [b"[1,2]"]


def test_a_body_that_says_no_size_is_cut_off_at_the_limit() -> None:
    app = Answers()
    status, said = visit(app, parts(*[b" " * (1 << 20)] * ((LARGEST >> 20) + 1)))
    assert (status, app.bodies) == (413, [])
    assert f"at most {LARGEST} bytes" in said["error"]


def test_a_slow_body_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_S", 0.05)
    status, said = visit(Answers(), nothing_comes)
    assert (status, said["error"]) == (408, "the question took longer than 0.05 s to come whole")


def test_an_answer_that_does_not_come_is_said_to_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ANSWER_S", 0.05)
    status, said = visit(Answers(waits_s=5.0), parts(b"{}"))
    assert (status, said["error"]) == (503, "no answer was ready within 0.05 s")


def test_who_floods_the_service_is_refused_and_his_neighbour_is_not() -> None:
    refused: list[int] = []

    async def flood() -> list[tuple[int, Any]]:
        before = Door(Answers(waits_s=0.1), EveryGuest(), own="hub", refused=refused.append)
        guests = [b"press-04"] * (door.MOST_AT_ONCE + 1) + [b"press-05"]
        said = await asyncio.gather(*(through(before, parts(b"{}"), name=name) for name in guests))
        return [*said, await through(before, parts(b"{}"))]

    said = asyncio.run(flood())
    assert [status for status, _ in said] == [200] * door.MOST_AT_ONCE + [429, 200, 200]
    assert "press-04 has 8 questions under way" in said[door.MOST_AT_ONCE][1]["error"]
    assert refused == [429]


def test_a_body_without_a_type_is_refused() -> None:
    status, said = visit(Answers(), parts(b"{}"), headers=[])
    assert (status, said["error"]) == (415, "expected application/json, got no type")


@pytest.mark.parametrize("begun", [b"", b"POST /score HTTP/1.1\r\nContent-Ty"])
def test_a_client_that_does_not_say_what_it_wants_is_let_go(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEADERS_S", 0.1)

    async def meet() -> bytes:
        config = uvicorn.Config(Answers(), http=protocol.Line, ws="none", lifespan="off", log_config=None)
        config.load()
        state = uvicorn.server.ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: protocol.Line(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(begun)
        async with asyncio.timeout(5):
            said = await reader.read()
        writer.close()
        server.close()
        return said

    head, _, body = asyncio.run(meet()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body) == {"error": "the request's headers took longer than 0.1 s"}


def test_without_the_list_of_revoked_certificates_nobody_comes_in(tmp_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    authority = Authority(tmp_path).ensure()
    certificate = x509.load_pem_x509_certificate(authority.issue_client("press-04").certificate)
    shown, guests = certificate.public_bytes(Encoding.DER), Guests(tmp_path / "revoked.crl")
    with pytest.raises(RefusedError, match="cannot tell which certificates were revoked") as refused:
        guests.admit(shown)
    assert refused.value.status == 503
    (tmp_path / "revoked.crl").write_bytes(authority.sign_revoked({}, made=datetime.now(UTC)))
    assert guests.admit(shown).name == "press-04"
