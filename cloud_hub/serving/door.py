"""What stands before the service: who may come in, to what, with how much, and for how long.

Whatever is not let in is answered with a status and one sentence, and goes no further. What
is let in has its whole body in ``scope["state"]["body"]``. Of a request nothing is logged but where
it went and why it was refused; what anybody could have written there without end is only counted.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from cloud_hub.serving.guests import Guests, RefusedError
from cloud_hub.serving.protocol import App, Message, Receive, Scope, Send
from wire.scoring import LARGEST, MEDIA_TYPE, PATH

BODY_S = 10.0  # for a body to come whole
ANSWER_S = 30.0  # for an answer to be on its way whole
HEALTH = frozenset({"/livez", "/readyz"})  # for load balancers: a word, and nothing of the hub's
METRICS = "/metrics"
MOST_AT_ONCE = 8  # questions of one guest; who floods the service is refused, and his neighbours are not
QUIET = frozenset({401, 404, 405, 429})  # what anybody can bring about again and again: no line in the log

log = structlog.get_logger()


class Door:
    """ASGI around ``app``."""

    def __init__(self, app: App, guests: Guests, *, own: str, refused: Callable[[int], None]) -> None:
        """``own`` is the hub itself, which alone may read the metrics; ``refused`` hears each status."""
        self._app = app
        self._guests = guests
        self._own = own
        self._refused = refused
        self._asking: Counter[str] = Counter()  # questions under way, by guest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        line = _Sent(send)
        try:
            name = self._admit(scope)
            with self._counted(name):
                body = await _body(receive) if scope["path"] == PATH else b""
                scope["state"] = {**scope.get("state", {}), "body": body}
                async with asyncio.timeout(ANSWER_S):
                    await self._app(scope, _nothing_more, line)
        except RefusedError as refusal:
            self._refused(refusal.status)
            if refusal.status not in QUIET:
                log.info("refused", path=scope["path"][:80], reason=str(refusal), status=refusal.status)
            await _refuse(line, refusal.status, str(refusal))
        except TimeoutError:
            if not line.begun:
                await _refuse(line, 503, f"no answer was ready within {ANSWER_S:g} s")

    def _admit(self, scope: Scope) -> str:
        """Who sent a request that may go on; "" where nobody is asked. ``RefusedError`` for every other."""
        method, path = scope["method"], scope["path"]
        if path not in (PATH, METRICS, *HEALTH):
            raise RefusedError(404, f"there is nothing at {path[:80]!r}: questions go to {PATH}")
        if method != ("POST" if path == PATH else "GET"):
            raise RefusedError(405, f"{path} takes {'POST' if path == PATH else 'GET'}, got {method[:16]}")
        if path in HEALTH:
            return ""
        guest = self._guests.admit(scope["extensions"]["certificate"])
        if path == PATH:
            _check_headers(scope)
        elif guest.name != self._own:
            raise RefusedError(403, f"{guest.name} may not read the metrics: the hub itself may")
        return guest.name

    @contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        """One more of ``name``'s questions under way, of at most ``MOST_AT_ONCE``."""
        if name and self._asking[name] >= MOST_AT_ONCE:
            raise RefusedError(
                429, f"{name} has {MOST_AT_ONCE} questions under way: ask when one is answered"
            )
        self._asking[name] += 1
        try:
            yield
        finally:
            self._asking[name] -= 1
            if not self._asking[name]:
                del self._asking[name]


class _Sent:
    """``send``, and whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


def _check_headers(scope: Scope) -> None:
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != MEDIA_TYPE.encode():
        raise RefusedError(415, f"expected {MEDIA_TYPE}, got {kind.decode('latin-1')[:64] or 'no type'}")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > LARGEST:
        raise RefusedError(413, f"expected at most {LARGEST} bytes, got {int(length)}: ask in parts")


async def _body(receive: Receive) -> bytes:
    """The whole body, of at most ``LARGEST`` bytes and within ``BODY_S``."""
    parts = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(400, "the connection ended before the question did")
                parts += message.get("body", b"")
                if len(parts) > LARGEST:
                    raise RefusedError(413, f"expected at most {LARGEST} bytes, got more: ask in parts")
                if not message.get("more_body", False):
                    return bytes(parts)
    except TimeoutError as error:
        raise RefusedError(408, f"the question took longer than {BODY_S:g} s to come whole") from error


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _refuse(send: Send, status: int, sentence: str) -> None:
    """The rest of a body may still be coming: the connection ends with the answer."""
    body = json.dumps({"error": sentence}).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
