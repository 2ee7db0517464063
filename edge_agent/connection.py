"""One MQTT connection of the agent, used once: what it hears becomes values in an inbox.

A client per connection, so nothing that paho kept of an old one is sent behind
the commit protocol's back. Its callbacks run in paho's thread and only put
values into the inbox; one thread of ours reads them.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.errors import EdgeError
from wire.messages import Status
from wire.topics import Channel, Topic, device_filters

CONNECT_S = 10.0
UNLIMITED = 65_535
LARGEST_PACKET = 268_435_455
SESSION_TAKEN_OVER = 0x8E  # MQTT 5, section 3.14.2.1
HEADERS = 128  # more than a packet has beside topic and payload


class LinkError(EdgeError):
    """The broker cannot be reached, refuses, or went away."""

    def __init__(self, reason: str, *, taken_over: bool = False) -> None:
        super().__init__(reason)
        self.taken_over = taken_over  # by another client with this device's name


@dataclass(frozen=True, slots=True)
class Connected:
    receive_maximum: int  # how many messages the broker takes before it has answered the first
    most_bytes: int  # the largest payload it takes


@dataclass(frozen=True, slots=True)
class Lost:
    reason: str
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """The broker's answer to one published message."""

    mid: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Woken:
    """Nothing was heard; there is something to do."""


Item = Connected | Lost | Received | Heard | Woken


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    port: int
    tls: Callable[[], ssl.SSLContext] | None  # asked for every connection: certificates are renewed


class Connection:
    def __init__(self, device: str, *, inbox: "SimpleQueue[Item]", will: Status) -> None:
        self._device = device
        self._inbox = inbox
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=device, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        self._client.connect_timeout = CONNECT_S
        self._client.max_inflight_messages_set(UNLIMITED)
        self._client.will_set(str(Topic(device, Channel.STATUS)), will.to_json(), qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    def open(self, address: Address, *, keepalive_s: int) -> None:
        """Connect and start hearing; ``Connected`` or ``Lost`` follows in the inbox.

        A link that swallows packets is lost after twice ``keepalive_s``, whether anything is sent or not.
        """
        if address.tls is not None:
            self._client.tls_set_context(address.tls())
        try:
            self._client.connect(address.host, address.port, keepalive=keepalive_s, clean_start=True)
        except (OSError, ValueError) as error:
            raise LinkError(f"no broker at {address.host}:{address.port}: {error}") from error
        self._client.loop_start()

    def subscribe(self) -> None:
        self._check(self._client.subscribe([(item, 1) for item in device_filters(self._device)])[0])

    def publish(self, channel: Channel, payload: bytes, *, retain: bool = False) -> int:
        """Hand over one message at QoS 1; its ``Received`` carries the number returned here."""
        info = self._client.publish(str(Topic(self._device, channel)), payload, qos=1, retain=retain)
        self._check(info.rc)
        return int(info.mid)

    def close(self) -> None:
        """Leave properly where there still is a connection; the last will stays unspoken then.

        paho closes the last of its descriptors when its client goes. That is now and not at some full
        collection, which may be days away, only where nothing leads from the client back to here.
        """
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_disconnect = None
        self._client.on_publish = self._client.on_message = None

    def _check(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkError(f"the connection to the broker is gone: {mqtt.error_string(code)}")

    def _on_connect(
        self, client: mqtt.Client, data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._inbox.put(Lost(f"the broker refuses {self._device!r}: {reason}"))
        else:
            packet = int(getattr(properties, "MaximumPacketSize", LARGEST_PACKET))
            topic = str(Topic(self._device, Channel.BATCH))
            window = int(getattr(properties, "ReceiveMaximum", UNLIMITED))
            self._inbox.put(Connected(window, packet - len(topic) - HEADERS))

    def _on_disconnect(
        self, client: mqtt.Client, data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        taken_over = reason.value == SESSION_TAKEN_OVER
        self._inbox.put(Lost(f"the connection to the broker was lost: {reason}", taken_over))

    def _on_publish(
        self, client: mqtt.Client, data: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._inbox.put(Received(mid, str(reason) if reason.is_failure else ""))

    def _on_message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        self._inbox.put(Heard(message.topic, bytes(message.payload)))
