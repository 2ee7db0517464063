"""Clients of a real broker that keep what they hear."""

import time
from contextlib import contextmanager
from queue import Empty, Queue

from paho.mqtt.client import MQTTMessageInfo
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class Client:
    """A connected client that keeps what it hears and the answers to what it says."""

    def __init__(self, broker, name, *, client_id=None, port=None, password="", will=None, window=None):
        self.heard, self.answers, self.ends = Queue(), {}, Queue()
        self._mqtt = broker.client(name, client_id=client_id)
        if password:
            self._mqtt.username_pw_set("hub", password)
        if will:
            self._mqtt.will_set(str(will), b"last words", qos=1, retain=True)
        connected = Queue()
        self._mqtt.on_connect = lambda *args: connected.put(args[3])
        self._mqtt.on_disconnect = lambda *args: self.ends.put(args[3])
        self._mqtt.on_message = lambda _client, _data, message: self.heard.put(message)
        self._mqtt.on_publish = lambda _client, _data, mid, reason, _properties: self.answers.update(
            {mid: reason}
        )
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        if window:
            session.ReceiveMaximum = window
        self._mqtt.connect(broker.host, port or broker.port, clean_start=False, properties=session)
        self._mqtt.loop_start()
        self.answer = str(connected.get(timeout=5))

    def hear(self, *filters):
        done = Queue()
        self._mqtt.on_subscribe = lambda *args: done.put(args[3])
        self._mqtt.subscribe([(each, 1) for each in filters])
        done.get(timeout=5)

    def say(self, topic, payload=b"x", retain=False):
        """Publish with QoS 1; the reason code of the broker's answer as text."""
        said: MQTTMessageInfo = self._mqtt.publish(str(topic), payload, qos=1, retain=retain)
        said.wait_for_publish(timeout=10)
        deadline = time.monotonic() + 5
        while said.mid not in self.answers and time.monotonic() < deadline:
            time.sleep(0.01)
        return str(self.answers[said.mid])

    def next(self, timeout=5):
        return self.heard.get(timeout=timeout)

    def hears_nothing(self):
        try:
            return self.heard.get(timeout=0.5) is None
        except Empty:
            return True

    def leave(self):
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def vanish(self):
        """Break off without a word, so that the broker speaks the last will."""
        self._mqtt.loop_stop()
        self._mqtt._sock.close()


@contextmanager
def connected(broker, *names):
    clients = [Client(broker, name) for name in names]
    assert [client.answer for client in clients] == ["Success"] * len(names)
    try:
        yield clients[0] if len(clients) == 1 else clients
    finally:
        for client in clients:
            client.leave()
