"""The broker's listener for devices, as the hub sees it when it comes in a device's name.

Whoever connects under a client id ends the session that has it, on every MQTT
broker, and where devices connect the certificate's name is the client id. So the
hub ends a live session by coming once itself, with a certificate that only the
holder of the authority's key can make, that lives for minutes, whose key never
leaves this process's own folder, and which no list of devices knows.
"""

import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from cloud_hub.errors import UnreachableError
from cloud_hub.identity.ca import Authority, Issued
from wire.topics import Channel, Topic

LIFETIME = timedelta(minutes=5)
PATIENCE_S = 5.0
SILENCE_S = 0.5  # a broker that refuses a certificate says so at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    host: str
    port: int
    check_name: bool = True  # that its certificate names ``host``; not needed of a broker of our own

    def refuses(self, authority: Authority, issued: Issued) -> bool:
        """Whether the broker knows that ``issued`` was revoked; ``UnreachableError`` where none answers."""
        with (
            self._context(authority, issued) as context,
            self._trouble(),
            socket.create_connection((self.host, self.port), timeout=PATIENCE_S) as plain,
        ):
            return _is_revoked(context, plain, self.host)

    def cut(self, authority: Authority, name: str, *, for_good: bool) -> None:
        """End the session that ``name`` may have; ``for_good`` also takes away what it retained.

        The last will of that session is spoken before anything is taken away.
        """
        issued = authority.issue_client(name, lifetime=LIFETIME)
        with self._context(authority, issued) as context, self._trouble():
            visit = _Visit(name, context)
            try:
                visit.enter(self.host, self.port)
                if for_good:
                    visit.clear(Topic(name, Channel.BIRTH), Topic(name, Channel.STATUS))
            finally:
                visit.leave()

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnreachableError(
                f"the broker at {self.host}:{self.port} does not answer: {error}"
            ) from error

    @contextmanager
    def _context(self, authority: Authority, issued: Issued) -> Iterator[ssl.SSLContext]:
        """TLS takes keys from files alone: in a folder of ours, for this moment."""
        context = ssl.create_default_context(cafile=authority.certificate_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = self.check_name
        with tempfile.TemporaryDirectory(prefix="andon-door-") as folder:
            file = Path(folder, "client.pem")
            file.write_bytes(issued.key + issued.certificate)
            context.load_cert_chain(file)
        yield context


def _is_revoked(context: ssl.SSLContext, plain: socket.socket, host: str) -> bool:
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            secure.settimeout(SILENCE_S)
            secure.recv(1)  # TLS 1.3 tells the verdict after the handshake
    except TimeoutError:  # it waits for our first packet
        return False
    except ssl.SSLError as error:
        if "CERTIFICATE_REVOKED" not in str(error.reason):
            raise
        return True
    return False


class _Visit:
    """One connection under a device's name, in and out."""

    def __init__(self, name: str, context: ssl.SSLContext) -> None:
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        self._client.connect_timeout = PATIENCE_S
        self._client.tls_set_context(context)
        self._client.on_connect = self._on_connect
        self._answered = threading.Event()
        self._refusal = "no answer in time"

    def enter(self, host: str, port: int) -> None:
        self._client.connect(host, port, clean_start=True)
        self._client.loop_start()
        self._answered.wait(PATIENCE_S)
        if self._refusal:
            raise ConnectionError(self._refusal)

    def clear(self, *topics: Topic) -> None:
        """An empty retained message takes a retained one away."""
        said = [self._client.publish(str(topic), b"", qos=1, retain=True) for topic in topics]
        for each in said:
            each.wait_for_publish(PATIENCE_S)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _rest: Any) -> None:
        self._refusal = str(reason) if reason.is_failure else ""
        self._answered.set()
