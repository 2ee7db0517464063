"""The uplink against links and brokers that fail: each is noticed, told, and outlived."""

import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from certificates import RunningBroker
from edge_relay import Relay
from edge_world import Hub, trend_table, until

from cloud_hub.parts.broker import Broker, ServerFiles
from edge_agent.config import UplinkSettings
from edge_agent.connection import Address
from edge_agent.draft import Draft
from edge_agent.outbox import Outbox
from edge_agent.uplink import Uplink
from firmware_configs.templates import BrokerBounds
from wire.batch import BatchClass, GapEvent, Series
from wire.clock import Clock
from wire.messages import Birth, Command

DEVICE = "press-04"
TABLE = trend_table()
QUICK = UplinkSettings(window=8, resend_s=0.2, resend_max_s=1.0, reconnect_max_s=0.3, keepalive_s=2)


class Silent:
    """A listener that answers nothing but its birth."""

    def births(self, *, every_table: bool) -> Sequence[bytes]:
        birth = Birth(profile="generic", target="cpu", agent_version="1", time_us=0, table=TABLE)
        return [birth.to_json()]

    def directive(self, use_case: str, payload: bytes) -> None: ...

    def command(self, command: Command) -> None: ...


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox.open(tmp_path / "outbox.db", max_bytes=1 << 30)
    yield made
    made.close()


@pytest.fixture
def link(broker, outbox: Outbox) -> Iterator[Callable[..., Uplink]]:
    """Starts an uplink to the broker, or to where a test says."""
    made: list[Uplink] = []

    def make(*, settings: UplinkSettings = QUICK, held: Outbox = outbox, **changed: object) -> Uplink:
        tls = broker.authority.issue(DEVICE).context
        address = replace(Address(host=broker.host, port=broker.port, tls=tls), **changed)
        made.append(
            Uplink(
                device=DEVICE,
                address=address,
                settings=settings,
                outbox=held,
                clock=Clock.real(),
                listener=Silent(),
                random=Random(len(made)),
            )
        )
        made[-1].start()
        return made[-1]

    yield make
    for item in made:
        item.stop()


def samples(number: int, values: int = 1) -> Draft:
    """Full entropy: eight bytes a value, and nothing to compress."""
    drawn = np.random.default_rng(number).normal(size=values)
    series = Series(signal=0, times=np.arange(values) + number, values=drawn)
    return Draft(batch_class=BatchClass.SAMPLE, table_hash=TABLE.hash, series=(series,))


def alarm() -> Draft:
    event = GapEvent(time_us=1, reason="bad-window")
    return Draft(batch_class=BatchClass.ALARM, table_hash=TABLE.hash, events=(event,))


def sequences(hub: Hub) -> list[int]:
    return [sequence for _, sequence in list(hub.settled.arrivals)]


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "sending"])
def test_a_link_that_swallows_packets_is_noticed_and_left(
    broker, hub: Hub, outbox: Outbox, link, busy: bool
) -> None:
    relay = Relay((broker.host, broker.port))
    try:
        agent = link(port=relay.port)
        until(lambda: hub.births)
        relay.swallow()
        if busy:
            outbox.commit([samples(number) for number in range(20)], now_us=0)
            agent.nudge()
        until(lambda: agent.state.connections == 2, timeout_s=20.0)
        outbox.commit([samples(99)], now_us=0)
        agent.nudge()
        until(lambda: outbox.backlog.batches == 0)
        assert hub.settled.reused == []
    finally:
        relay.stop()


def test_a_broker_that_accepts_and_says_nothing_does_not_hold_the_agent(broker, hub: Hub, link) -> None:
    relay = Relay((broker.host, broker.port))
    try:
        agent = link(port=relay.port)
        until(lambda: agent.state.connected)
        relay.swallow()
        started = time.monotonic()
        agent.stop()
        assert not agent.alive() or time.monotonic() - started < 5.0
    finally:
        relay.stop()


def test_nobody_at_the_address_is_told_and_the_agent_connects_once_somebody_is(
    broker, hub: Hub, outbox: Outbox, link
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    outbox.commit([samples(1)], now_us=0)
    agent = link(port=port)
    until(lambda: "refused" in agent.state.reason)
    assert agent.behind()
    broker.part._port, broker.part._note = port, broker.part._note.with_name("other")
    broker.part.stop()
    assert broker.part.start().port == port
    until(lambda: agent.state.connected)
    assert agent.failure is None


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"host": "broker.invalid"}, "no broker at broker.invalid"),
        ({"tls": None}, "the connection to the broker was lost|the broker did not answer|refuses"),
    ],
)
def test_a_name_that_does_not_resolve_and_a_broker_that_wants_tls_are_told_and_tried_again(
    link, changed: dict[str, object], sentence: str
) -> None:
    agent = link(**changed)
    until(lambda: re.search(sentence, agent.state.reason), timeout_s=40.0)
    assert (agent.state.connections, agent.alive(), agent.failure) == (0, True, None)


def test_a_copy_of_the_device_is_outlived_and_both_get_their_word_in(
    hub: Hub, outbox: Outbox, link, tmp_path: Path
) -> None:
    copy = Outbox.open(tmp_path / "copy.db", max_bytes=1 << 30)
    twins = [link(), link(held=copy)]
    until(lambda: sum(twin.state.connections for twin in twins) >= 5)
    for held in (outbox, copy):
        held.commit([samples(number) for number in range(5)], now_us=0)
    until(lambda: outbox.backlog.batches == copy.backlog.batches == 0)
    for twin in twins:
        assert (twin.alive(), twin.failure) == (True, None)
        twin.stop()
    assert {epoch for epoch, _ in hub.settled.batches} == {outbox.epoch, copy.epoch}
    copy.close()


def test_within_a_budget_alarms_still_go_first(hub: Hub, outbox: Outbox, link) -> None:
    outbox.commit([samples(number, values=50) for number in range(60)], now_us=0)
    agent = link(settings=QUICK.model_copy(update={"max_bytes_per_s": 6000}))
    until(lambda: hub.settled.arrivals)
    outbox.commit([alarm()], now_us=0)
    agent.nudge()
    until(lambda: 61 in sequences(hub))
    assert len(hub.settled.arrivals) < 50, "the rest was still held back"
    until(lambda: outbox.backlog.batches == 0)
    assert agent.state.held_s > 0
    assert agent.payload_bytes >= 60 * 400


def test_what_is_new_does_not_wait_for_a_backlog(hub: Hub, outbox: Outbox, link) -> None:
    outbox.commit([samples(number) for number in range(700)], now_us=0)
    agent = link()
    until(lambda: hub.settled.arrivals)
    assert not agent.behind(), "a live batch would go out at once"
    outbox.commit([samples(700)], now_us=0)
    agent.nudge()
    until(lambda: 701 in sequences(hub))
    assert len(hub.settled.batches) < 500
    until(lambda: outbox.backlog.batches == 0)
    assert hub.settled.duplicates == agent.resent


def test_a_batch_that_the_broker_would_not_take_stays_and_holds_up_nothing(
    authority, state_root: Path, outbox: Outbox, link
) -> None:
    """Sent, it would end this connection and every one after it."""
    with started(authority, state_root, packet=8192) as small:
        hub = Hub(small.client("hub"), small.host, small.port)
        outbox.commit([samples(1), samples(2, values=4000), samples(3)], now_us=0)
        agent = link(host=small.host, port=small.port)
        until(lambda: set(sequences(hub)) == {1, 3})
        until(lambda: outbox.backlog.batches == 1)
        assert "the broker takes 8" in agent.state.last_refusal
        assert agent.state.connections == 1
        agent.stop()
        hub.stop()


def test_what_a_full_queue_of_the_broker_drops_is_sent_again_until_it_is_settled(
    authority, state_root: Path, outbox: Outbox, link
) -> None:
    """A queue of six batches before a hub that takes one at a time: mosquitto drops what it acknowledged."""
    with started(authority, state_root, queued=12_000, inflight=1000) as small:
        slow = Hub(small.client("hub"), small.host, small.port, loses=slowly)
        outbox.commit([samples(number, values=250) for number in range(200)], now_us=0)
        agent = link(
            host=small.host,
            port=small.port,
            settings=QUICK.model_copy(update={"window": 32, "keepalive_s": 20}),
        )
        until(lambda: outbox.backlog.batches == 0, timeout_s=60.0)
        assert agent.resent > 0, "something was dropped, or this proves nothing"
        assert {sequence for _, sequence in slow.settled.batches} == set(range(1, 201))
        assert slow.settled.count == 200 * 250
        assert slow.settled.reused == []
        agent.stop()
        slow.stop()


@contextmanager
def started(authority, state_root: Path, **bounds: int):
    """A broker of its own within other bounds."""
    server = authority.issue("localhost", server=True)
    files = ServerFiles(ca=server.ca, certificate=server.certificate, key=server.key)
    part = Broker(state_root / "small", files, ephemeral=True, bounds=BrokerBounds(**bounds))
    address = part.start()
    try:
        yield RunningBroker(
            part=part, host=address.host, port=address.port, hub_port=address.hub_port, authority=authority
        )
    finally:
        part.stop()


def slowly() -> bool:
    time.sleep(0.01)
    return False
