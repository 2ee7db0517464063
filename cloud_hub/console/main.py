"""``andon hub web``: the console and the device listener, two servers in one process.

Beside them runs what tells the broker whom the hub no longer trusts, for this
process may read the authority's key. All stop on one signal within moments: nothing
here holds state that a request could leave half done. A port that cannot be had is
a sentence, not a traceback.
"""

import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import MTServer

from cloud_hub.config import HubConfig
from cloud_hub.console.app import create_app
from cloud_hub.console.places import Place, broker_door, console_place, devices_place
from cloud_hub.errors import HubError, UnreachableError
from cloud_hub.hub import assemble
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.device_api import create_device_app
from cloud_hub.identity.revoker import Revoker

THREADS = 128  # 64 open pages hold one each for their events, forms on their way 32
CONNECTIONS = 8

log = structlog.get_logger()


def run(config: HubConfig) -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.getLogger("_granian").setLevel(logging.ERROR)
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    try:
        console, devices = console_place(config), devices_place(config)
        clock = config.time()
        with config.database(most=CONNECTIONS) as database:
            app = create_app(assemble(config, database, clock))
            served = [
                _Listener(console, app),
                _Listener(devices, create_device_app(config, database, clock)),
            ]
            revoker = Revoker(database, Authority.of(config.state_dir), lambda: broker_door(config))
            for listener in served:
                listener.begin()
            revoker.start()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, ask)
            log.info("serving", console=console.url, devices=devices.url)
            _wait(asked, served)
            revoker.stop()
            app.extensions["pulse"].stop()
            for listener in served:
                listener.shutdown()  # type: ignore[no-untyped-call]  # granian has no annotations there
    except HubError as error:
        sys.exit(f"error: {error}")


def _wait(asked: threading.Event, served: list["_Listener"]) -> None:
    while not asked.wait(0.5):
        if any(listener.interrupt_children for listener in served):
            raise UnreachableError("a listener ended by itself: see the lines above")


class _Listener(MTServer):
    """One granian server on threads of this process; ``begin`` returns once it listens."""

    def __init__(self, place: Place, app: Callable[..., Any]) -> None:
        self._place = place
        self._app = app
        super().__init__(
            "console",
            address=place.listen,
            port=place.port,
            interface=Interfaces.WSGI,
            blocking_threads=THREADS,
            backpressure=4 * THREADS,
            websockets=False,
            log_level=LogLevels.error,
            ssl_cert=place.certificate,
            ssl_key=place.key,
            workers_kill_timeout=5,
        )

    def begin(self) -> None:
        _check_free(self._place)
        self.serve()

    def _serve(self, spawn_target: Callable[..., None], _loader: object) -> None:
        self.startup(spawn_target, self._app)  # type: ignore[no-untyped-call]  # as above


def _check_free(place: Place) -> None:
    family = socket.AF_INET6 if ":" in place.listen else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((place.listen, place.port))
    except OSError as error:
        raise UnreachableError(
            f"cannot listen at {place.listen}:{place.port} for the {place.name}: {error.strerror}; "
            f"stop what uses it, or set {place.setting} to another port"
        ) from error
