"""HTTP/1.1 as uvicorn speaks it, and two things it leaves out: who is there, and patience that ends.

Every request carries its client's certificate (``scope["extensions"]["certificate"]``, DER or
None). A client that takes longer than ``HEADERS_S`` to say what it wants is told so and let go.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 10.0

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Introduced:
    """``app`` as one connection sees it: with the certificate of its client."""

    def __init__(self, app: App, certificate: bytes | None) -> None:
        self._app = app
        self._extensions = {"certificate": certificate}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), **self._extensions}
        await self._app(scope, receive, send)


class Line(H11Protocol):
    """One connection."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self.app = Introduced(self.app, certificate)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_headers()

    def _wait_for_headers(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(HEADERS_S, self._lose_patience)

    def _lose_patience(self) -> None:
        """Once a request has come whole or in part, others watch over it."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            return
        if self.conn.our_state is h11.IDLE:
            body = json.dumps({"error": f"the request's headers took longer than {HEADERS_S:g} s"}).encode()
            headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
            response = h11.Response(status_code=408, headers=[*headers, ("connection", "close")])
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
