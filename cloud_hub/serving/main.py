"""The process behind ``andon hub serve``: one listener with mutual TLS around the BentoML service.

BentoML's own launcher is left out: it adds a supervisor whose control port takes commands
from every user of the machine, and hides who a client is. What ``bentoml serve`` runs in its
worker, the service's ASGI application on uvicorn, runs here.
"""

import json
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn

from cloud_hub.errors import UnreachableError
from cloud_hub.files import write_private
from cloud_hub.serving.door import Door
from cloud_hub.serving.guests import Guests
from cloud_hub.serving.protocol import App, Line

CONNECTIONS = 256
LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound
GRACE_S = 5  # for answers under way when asked to stop

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it listens and what it shows; ``revoked`` is the authority's list of revoked certificates."""

    listen: str
    port: int
    ca: Path
    certificate: Path
    key: Path
    revoked: Path
    note: Path  # where it says its URL while it listens
    own: str  # the common name of the hub's own certificate


def serve(app: App, place: Place, refused: Callable[[int], None]) -> None:
    """Answer until SIGTERM or SIGINT; ``refused`` hears the status of whatever is not let in.

    ``UnreachableError`` for a port that cannot be had.
    """
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    config = uvicorn.Config(
        Door(app, Guests(place.revoked), own=place.own, refused=refused),
        http=Line,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
        ssl_ca_certs=str(place.ca),
        ssl_cert_reqs=ssl.CERT_OPTIONAL,  # who shows none is told so in words
    )
    listening = _listening(place)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # from uvicorn's end on; it has handlers of its own
    try:
        _Server(config, place, listening.getsockname()[1]).run(sockets=[listening])
    finally:
        place.note.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, place: Place, port: int) -> None:
        super().__init__(config)
        self._place = place
        host = LOOPBACK if place.listen in EVERYWHERE else place.listen
        self._url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._place.note.parent.mkdir(parents=True, exist_ok=True)
            write_private(self._place.note, json.dumps({"url": self._url, "pid": os.getpid()}).encode())
            log.info("serving", scoring=self._url)


def _listening(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.listen else socket.AF_INET
    try:
        made = socket.create_server((place.listen, place.port), family=family, backlog=128)
        # Each connection has it from here; else an answer's second packet waits 40 ms for an acknowledgement.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise UnreachableError(
            f"cannot listen at {place.listen}:{place.port} for scoring: {error.strerror}; "
            "stop what uses it, or set serving.port to another port"
        ) from error
    return made
