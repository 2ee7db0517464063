"""The hub's end of MQTT when nobody takes what comes: memory is bounded, and the connection lives on."""

import time
from collections.abc import Iterator

import pytest
from ingest_world import wait_for

from cloud_hub.ingest.consumer import BrokerAddress, Consumer
from cloud_hub.ingest.reading import Arrival
from wire.clock import Clock
from wire.topics import Channel, Topic

KEEPALIVE_S = 2
HELD = 200_000
SIZE = 20_000
MESSAGES = 40  # four times what may be held


@pytest.fixture
def consumer(broker) -> Iterator[Consumer]:
    tls = broker.authority.issue("hub").context()
    address = BrokerAddress(host="localhost", port=broker.hub_port, tls=tls)
    made = Consumer(address, Clock.real(), held_bytes=HELD, keepalive_s=KEEPALIVE_S)
    made.start()
    assert made.connected.wait(10)
    time.sleep(0.3)  # the subscription follows the connection
    yield made
    made.stop()


@pytest.fixture
def device(broker):
    client = broker.client("press-01")
    client.connect(broker.host, broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def say(device, number: int, channel: Channel = Channel.BATCH) -> None:
    device.publish(str(Topic("press-01", channel)), number.to_bytes(4) + bytes(SIZE), qos=1)


def taken(consumer: Consumer) -> list[Arrival]:
    found = []
    while (arrival := consumer.take(0.5)) is not None:
        found.append(arrival)
        consumer.acknowledge([arrival])
    return found


def numbers(arrivals: list[Arrival]) -> set[int]:
    return {int.from_bytes(arrival.payload[:4]) for arrival in arrivals}


def test_a_database_that_is_blocked_for_many_keepalives_costs_no_connection(
    consumer: Consumer, device
) -> None:
    for number in range(MESSAGES):
        say(device, number)
    wait_for(lambda: consumer.held_bytes >= HELD)
    ends = time.monotonic() + 4 * KEEPALIVE_S
    while time.monotonic() < ends:
        assert consumer.connected.is_set()
        assert consumer.held_bytes <= HELD + SIZE + 4
        time.sleep(0.05)
    first = taken(consumer)
    assert {arrival.token.connection for arrival in first} == {first[0].token.connection}
    assert numbers(first) < set(range(MESSAGES)), "some were let go"
    assert consumer.let_go == MESSAGES - len(first)
    for number in range(MESSAGES):  # as devices do: no mark came for them
        say(device, number)
    again = []
    while numbers(first + again) != set(range(MESSAGES)):
        found = taken(consumer)
        assert found, "what is sent again comes"
        again += found
    assert again[-1].token.connection == first[0].token.connection
    assert consumer.held_bytes == 0


def test_births_are_not_let_go_for_batches(consumer: Consumer, device) -> None:
    for number in range(MESSAGES // 2):
        say(device, number)
    say(device, 1000, Channel.STATUS)
    wait_for(lambda: consumer.held_bytes > HELD + SIZE)
    assert 1000 in numbers(taken(consumer))
