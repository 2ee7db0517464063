"""The hub's end of MQTT: messages in by a shared subscription, each acknowledged only when told to.

The broker sends at most ``RECEIVE_MAXIMUM`` messages ahead of the acknowledgements,
and above ``HELD_BYTES`` nothing more is read from it: both bound what waits here in
memory, however slow the database is. Where that lasts so long that the connection
would end for want of pings, batches are let go unread instead, and acknowledged when
there is room again: an acknowledgement promises a device nothing, it sends them again.
The connection comes back for ever; what it carried before is sent again as well, so an
acknowledgement never reaches a later connection.
"""

import os
import secrets
import socket
import ssl
import threading
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_hub.broker_access import USER, BrokerAccess
from cloud_hub.ingest.reading import Arrival, is_announcement
from wire.clock import Clock
from wire.topics import INGEST_FILTERS, Channel, Topic, ingest_filters

log = structlog.get_logger()

RECEIVE_MAXIMUM = 1000  # several large transactions of batches
HELD_BYTES = 64 << 20  # of payloads received and not yet acknowledged
KEEPALIVE_S = 20
PATIENT = 0.25  # of the keepalive, that nothing is read for want of room
CONNECT_S = 10.0
FAREWELL_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    host: str
    port: int
    tls: ssl.SSLContext | None
    access: BrokerAccess = field(default_factory=BrokerAccess)


@dataclass(frozen=True, slots=True)
class Token:
    """Which delivery an acknowledgement is for."""

    connection: int
    message: int
    qos: int


class Consumer:
    """``take`` is for one thread; ``publish`` and ``acknowledge`` for any."""

    def __init__(
        self,
        address: BrokerAddress,
        clock: Clock,
        *,
        held_bytes: int = HELD_BYTES,
        keepalive_s: int = KEEPALIVE_S,
    ) -> None:
        self._address = address
        self._most_held = held_bytes
        self._keepalive_s = keepalive_s
        self._clock = clock
        self._queue: SimpleQueue[Arrival] = SimpleQueue()
        self._connection = 0
        self._held = 0
        self._let_go: list[Token] = []  # unread, and not acknowledged yet
        self.let_go = 0  # messages, since it was made
        self._failure: Exception | None = None
        self._room = threading.Condition()
        self._leaving = False
        self._told = ""  # the last trouble that was logged
        self.connected = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=_client_id(), protocol=mqtt.MQTTv5, manual_ack=True
        )
        self._client.connect_timeout = CONNECT_S
        self._client.reconnect_delay_set(1, 10)
        if address.tls is not None:
            self._client.tls_set_context(address.tls)
        if address.access.password:
            self._client.username_pw_set(USER, address.access.password)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect in the background, now or as soon as the broker answers."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho does not say
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect_async(
            self._address.host,
            self._address.port,
            keepalive=self._keepalive_s,
            clean_start=True,
            properties=properties,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Leave properly: what was not acknowledged goes to another process, or is sent again."""
        with self._room:
            self._leaving = True
            self._room.notify_all()
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, timeout_s: float) -> Arrival | None:
        """The next message, or None where none comes in time."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except Empty:
            return None

    def acknowledge(self, arrivals: list[Arrival]) -> None:
        """Tell the broker that these are settled. Every message that was taken comes here in the end."""
        with self._room:
            self._held -= sum(len(arrival.payload) for arrival in arrivals)
            let_go, self._let_go = self._let_go, []
            self._room.notify_all()
        for token in (*(arrival.token for arrival in arrivals), *let_go):
            if isinstance(token, Token) and token.connection == self._connection and token.qos:
                self._client.ack(token.message, token.qos)

    @property
    def held_bytes(self) -> int:
        """Bytes of payloads that came and are not acknowledged."""
        return self._held

    def publish(self, topic: Topic, payload: bytes, *, qos: int) -> None:
        """Send one message if there is a connection; nothing depends on its arrival."""
        if self.connected.is_set():
            self._client.publish(str(topic), payload, qos=qos)

    def _on_connect(
        self, client: mqtt.Client, data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._tell("the broker refuses the hub", reason=str(reason))
            return
        self._connection += 1
        self._told = ""
        log.info("connected to the broker", host=self._address.host, port=self._address.port)
        # A shared subscription brings no retained messages: births and statuses are asked for once more.
        filters = (*ingest_filters(self._address.access.group), *_RETAINED_FILTERS)
        client.subscribe([(item, 1) for item in filters])
        self.connected.set()

    def _on_subscribe(
        self, client: mqtt.Client, data: Any, mid: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        for reason in reasons:
            if reason.is_failure:
                self._tell("the broker refuses a subscription", reason=str(reason))
        client.unsubscribe(list(_RETAINED_FILTERS))  # the retained ones are on their way

    def _on_connect_fail(self, client: mqtt.Client, data: Any) -> None:
        self._tell("the broker does not answer: is it running?", host=self._address.host)

    def _on_disconnect(
        self, client: mqtt.Client, data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self.connected.clear()
        self._connection += 1  # tokens of the connection that ended are void
        if reason.is_failure:
            self._tell("the connection to the broker was lost", reason=str(reason))

    def _on_message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            token = Token(self._connection, message.mid, message.qos)
            now_us, payload = self._clock.now_us(), bytes(message.payload)
            self._receive(Arrival(topic=message.topic, payload=payload, received_us=now_us, token=token))
        except Exception as error:  # else the network's thread would end, and nobody would know
            self._failure = error

    def _receive(self, arrival: Arrival) -> None:
        """Queue it as soon as there is room, and let the network wait meanwhile; or let it go."""
        # Announcements are few and are not sent again by themselves.
        most = 2 * self._most_held if is_announcement(arrival) else self._most_held
        with self._room:
            patience = 0.0 if self._let_go else PATIENT * self._keepalive_s
            if self._room.wait_for(lambda: self._held < most or self._leaving, patience):
                self._held += len(arrival.payload)
                self._queue.put(arrival)
                return
            self._let_go.append(arrival.token)
            self.let_go += 1
        self._tell("the database is too slow; what comes is let go, and sent again by its devices")

    def _tell(self, event: str, **details: Any) -> None:
        """Log a trouble once, however often it is met before it ends."""
        if self._told != event:
            self._told = event
            log.warning(event, port=self._address.port, **details)


_RETAINED_FILTERS = tuple(
    shared.split("/", 2)[2] for shared in INGEST_FILTERS if not shared.endswith(f"/{Channel.BATCH}")
)


def _client_id() -> str:
    return f"hub-ingest-{socket.gethostname()[:24]}-{os.getpid()}-{secrets.token_hex(4)}"
