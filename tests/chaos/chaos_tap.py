"""What travels: every batch on the wire with the samples in it, heard beside ingest.

Proof that an outbox had taken a sample, and the only way to know which sample a gap of sequences speaks of.
What passes while the broker is dead or the tap comes back is not heard; that costs proof, never a false alarm
of a loss.
"""

import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import paho.mqtt.client as mqtt
from chaos_check import SEEN
from chaos_truth import KEYS_EACH
from paho.mqtt.enums import CallbackAPIVersion

from cloud_hub.store.epochs import to_store
from wire.codec import decode
from wire.errors import WireError
from wire.topics import Topic


class Tap:
    """Listens from ``start`` to ``stop`` with the hub's own certificate."""

    def __init__(self, identity: Path, devices: list[str]) -> None:
        self.batches = 0
        self.bytes = 0
        self.strange = 0  # messages that are no batches
        self._numbers: Mapping[str, int] = {device: number for number, device in enumerate(devices)}
        self._lock = threading.Lock()
        self._known: set[tuple[int, int, int]] = set()
        self._heard: list[npt.NDArray[np.void]] = []
        context = ssl.create_default_context(cafile=identity / "ca" / "ca.crt")
        context.load_cert_chain(identity / "hub" / "client.crt", identity / "hub" / "client.key")
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="chaos-tap", protocol=mqtt.MQTTv5)
        self._client.tls_set_context(context)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("andon/v1/+/batch", qos=1)
        self._client.on_message = self._on_message

    def start(self, port: int) -> None:
        self._client.connect_async("localhost", port, keepalive=10)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def seen(self) -> npt.NDArray[np.void]:
        with self._lock:
            return np.concatenate([np.zeros(0, SEEN), *self._heard])

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self.batches += 1
            self.bytes += len(message.payload)
            try:
                self._keep(Topic.parse(message.topic).device, bytes(message.payload))
            except WireError:
                self.strange += 1

    def _keep(self, device: str, payload: bytes) -> None:
        batch = decode(payload)
        number = self._numbers[device]
        key = (number, batch.epoch, batch.sequence)
        if key in self._known:
            return
        self._known.add(key)
        for series in batch.series:
            rows = np.zeros(len(series.times), SEEN)
            rows["key"] = number * KEYS_EACH + series.signal
            rows["time"], rows["value"] = series.times, series.values
            rows["epoch"], rows["sequence"] = to_store(batch.epoch), batch.sequence
            self._heard.append(rows)
