"""One MQTT connection of a light device, used once, driven by a loop that thousands of them share.

paho without its own thread: the loop says when its socket can be read or written. (Of
memory, a connection takes about 60 kB with its TLS; a thread or an asyncio stream takes
several times that.)
"""

import ssl
from collections.abc import Callable
from typing import Any, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from simulators.errors import SimulatorError
from simulators.fleet_loop import Loop
from wire.messages import Status
from wire.topics import Channel, Topic, device_filters

CONNECT_S = 10.0
KEEPALIVE_S = 240  # mosquitto as Andon sets it up takes 300 at most
CHECK_S = 10.0


class LinkError(SimulatorError):
    """The broker cannot be reached."""


class Listener(Protocol):
    def connected(self) -> None: ...

    def lost(self, reason: str) -> None: ...

    def heard(self, topic: str, payload: bytes) -> None: ...


class Link:
    """``open`` once; after ``lost`` it is of no use any more."""

    def __init__(self, device: str, loop: Loop, listener: Listener, *, will: Status) -> None:
        self._device = device
        self._loop = loop
        self._listener = listener
        self._over = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=device, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        self._client.connect_timeout = CONNECT_S
        self._client.will_set(str(Topic(device, Channel.STATUS)), will.to_json(), qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_socket_open = lambda _client, _data, sock: loop.add(sock.fileno(), self)
        self._client.on_socket_close = lambda _client, _data, sock: loop.remove(sock.fileno())
        self._client.on_socket_register_write = self._want(to_write=True)
        self._client.on_socket_unregister_write = self._want(to_write=False)

    def open(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        """Connect; the TLS handshake is waited for, what follows is heard by the listener."""
        self._client.tls_set_context(tls)
        try:
            self._client.connect(host, port, keepalive=KEEPALIVE_S, clean_start=True)
        except (OSError, ValueError) as error:
            self._over = True
            raise LinkError(f"no broker at {host}:{port}: {error}") from error
        self._loop.after(CHECK_S, self._check)

    def publish(self, channel: Channel, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(str(Topic(self._device, channel)), payload, qos=1, retain=retain)

    def close(self) -> None:
        """Leave properly: the last will stays unspoken."""
        self._client.disconnect()

    @property
    def busy(self) -> bool:
        """Whether something waits to be written."""
        return not self._over and self._client.want_write()

    def read(self) -> None:
        self._client.loop_read()
        # TLS may have read more than one packet from the socket, of which a selector knows nothing.
        while (sock := self._client.socket()) is not None and _pending(sock):
            self._client.loop_read()

    def write(self) -> None:
        self._client.loop_write()

    def _check(self) -> None:
        if not self._over:
            self._client.loop_misc()
            self._loop.after(CHECK_S, self._check)

    def _want(self, *, to_write: bool) -> Callable[[mqtt.Client, Any, Any], None]:
        return lambda _client, _data, sock: self._loop.want(sock.fileno(), self, to_write=to_write)

    def _on_connect(
        self, client: mqtt.Client, data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._end(f"the broker refuses {self._device!r}: {reason}")
            return
        client.subscribe([(item, 1) for item in device_filters(self._device)])
        self._listener.connected()

    def _on_disconnect(
        self, client: mqtt.Client, data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._end(f"the connection to the broker was lost: {reason}")

    def _on_message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        self._listener.heard(message.topic, bytes(message.payload))

    def _end(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._listener.lost(reason)


def _pending(sock: Any) -> int:
    return int(sock.pending()) if hasattr(sock, "pending") else 0
