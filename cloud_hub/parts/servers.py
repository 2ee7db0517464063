"""The servers behind a hub, started in the order in which each needs the one before.

Database, schema, certificates, broker. One that is configured is only waited for; one that is not is started
here.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import psycopg

from cloud_hub.config import Endpoints, HubConfig
from cloud_hub.errors import UnreachableError
from cloud_hub.identity import certificates
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.certificates import HubCertificates
from cloud_hub.identity.revoked_list import RevokedList
from cloud_hub.parts.broker import Address, Broker, ServerFiles
from cloud_hub.parts.children import Kept
from cloud_hub.parts.places import log_of
from cloud_hub.parts.ports import EVERYWHERE, choose_port
from cloud_hub.parts.postgres import Postgres
from cloud_hub.store.database import Database
from cloud_hub.store.migrate import migrate

DATABASE_SECONDS = 30.0
LOOPBACK = "127.0.0.1"


class Servers:
    """What ``start`` started, as ``kept``; the stack it was given stops it."""

    def __init__(self, config: HubConfig, *, ephemeral: bool, say: Callable[[str], None]) -> None:
        self._config = config
        self._state_dir = config.state_dir.resolve()
        self._ephemeral = ephemeral
        self._say = say
        self._revoked = RevokedList(Authority.of(self._state_dir))
        self._own_broker: Broker | None = None
        self.kept: list[Kept] = []

    def start(self, stack: ExitStack) -> Endpoints:
        """Start what is needed and say where everything listens, or is going to."""
        database_url = self._database(stack)
        migrate(database_url, self._config)
        issued = certificates.ensure(self._state_dir, self._names())
        with Database(database_url, most=1) as database:
            self._revoked.follow(database)
        broker = self._broker(stack, issued)
        return Endpoints(
            pid=os.getpid(),
            database_url=database_url,
            broker_host=broker.host,
            broker_port=broker.port,
            hub_port=broker.hub_port,
            broker_tls=broker.tls,
            console_url=self._console_url(),
            device_url=self._device_url(),
        )

    def tend(self) -> None:
        """Hand the broker what others wrote for it; called again and again."""
        if self._own_broker is not None:
            self._own_broker.heed()

    def _database(self, stack: ExitStack) -> str:
        if self._config.database_url:
            await_database(self._config.database_url)
            return self._config.database_url
        server = Postgres(self._state_dir, ephemeral=self._ephemeral)
        stack.callback(server.stop)
        self._keep("postgres", server)
        return server.conninfo()

    def _broker(self, stack: ExitStack, issued: HubCertificates) -> Address:
        settings = self._config.broker
        if settings.host:
            return Address(host=settings.host, port=settings.port, hub_port=settings.port, tls=True)
        broker = Broker(
            self._state_dir,
            ServerFiles(
                ca=issued.ca,
                certificate=issued.server_certificate,
                key=issued.server_key,
                hub_key=issued.client_key,
                revoked=self._revoked.file,
            ),
            listen=settings.listen,
            port=settings.listen_port,
            ephemeral=self._ephemeral,
        )
        if broker.warning:
            self._say(f"warning: {broker.warning}")
        stack.callback(broker.stop)
        self._keep("broker", broker)
        self._own_broker = broker
        host = self._config.devices.names[0] if settings.listen in EVERYWHERE else broker.address.host
        return replace(broker.address, host=host)

    def _keep(self, name: str, server: Postgres | Broker) -> None:
        self.kept.append(Kept(name, server, log=log_of(self._state_dir, name), say=self._say))
        self.kept[-1].start()

    def _names(self) -> tuple[str, ...]:
        """What the hub may be called by those who check its certificate."""
        return tuple(dict.fromkeys((*self._config.devices.names, "localhost", LOOPBACK)))

    def _console_url(self) -> str:
        web = self._config.web
        port = self._port("console", web.listen, web.port, "web.port")
        scheme = "https" if web.certificate else "http"
        return f"{scheme}://{LOOPBACK if web.listen in EVERYWHERE else web.listen}:{port}"

    def _device_url(self) -> str:
        devices = self._config.devices
        port = self._port("devices", devices.listen, devices.port, "devices.port")
        return f"https://{devices.names[0] if devices.listen in EVERYWHERE else devices.listen}:{port}"

    def _port(self, name: str, listen: str, configured: int, setting: str) -> int:
        note = self._state_dir / "parts" / f"{name}-port"
        note.parent.mkdir(mode=0o700, exist_ok=True)
        return choose_port(note, listen=listen, configured=configured, setting=setting)


def await_database(conninfo: str, *, patience: float = DATABASE_SECONDS) -> None:
    """A configured database may be starting beside us; one that stays away is one sentence."""
    deadline = time.monotonic() + patience
    while True:
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                reason = " ".join(str(error).split())
                raise UnreachableError(f"the configured database does not answer: {reason}") from error
            time.sleep(1)
