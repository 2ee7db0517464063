"""The uplink in this process, against a real broker: what goes first, and what the hub hears."""

import gc
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from random import Random

import numpy as np
import pytest
from edge_world import Hub, trend_table, until

from edge_agent.config import UplinkSettings
from edge_agent.connection import Address, Connection, Item, Lost
from edge_agent.draft import Draft
from edge_agent.outbox import Outbox
from edge_agent.uplink import Uplink
from wire.batch import BatchClass, Capture, GapEvent, Series, Why
from wire.clock import Clock
from wire.feed import listen
from wire.messages import Birth, Command, Status
from wire.topics import Channel, Topic

DEVICE = "press-04"
TABLE = trend_table()
QUICK = UplinkSettings(window=4, resend_s=0.2, resend_max_s=1.0, reconnect_max_s=0.3)


class Plain:
    """A listener with one table behind it, that notes what it hears."""

    def __init__(self) -> None:
        self.directives: list[tuple[str, bytes]] = []
        self.commands: list[Command] = []
        self.every_table: list[bool] = []

    def births(self, *, every_table: bool) -> Sequence[bytes]:
        self.every_table.append(every_table)
        tables = [trend_table(machines=1), TABLE] if every_table else [TABLE]
        return [
            Birth(profile="generic", target="cpu", agent_version="1", time_us=0, table=table).to_json()
            for table in tables
        ]

    def directive(self, use_case: str, payload: bytes) -> None:
        self.directives.append((use_case, payload))

    def command(self, command: Command) -> None:
        self.commands.append(command)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox.open(tmp_path / "outbox.db", max_bytes=1 << 30)
    yield made
    made.close()


@pytest.fixture
def uplink(broker, outbox: Outbox) -> Iterator[Callable[..., Uplink]]:
    made: list[Uplink] = []

    def make(
        listener: Plain, *, certificate: str = DEVICE, tls: Callable[[], ssl.SSLContext] | None = None
    ) -> Uplink:
        context = tls or broker.authority.issue(certificate).context
        address = Address(host=broker.host, port=broker.port, tls=context)
        made.append(
            Uplink(
                device=DEVICE,
                address=address,
                settings=QUICK,
                outbox=outbox,
                clock=Clock.real(),
                listener=listener,
                random=Random(1),
            )
        )
        made[-1].start()
        return made[-1]

    yield make
    for item in made:
        item.stop()


def samples(number: int) -> Draft:
    series = Series(signal=0, times=np.array([number]), values=np.array([float(number)]))
    return Draft(batch_class=BatchClass.SAMPLE, table_hash=TABLE.hash, series=(series,))


def window(number: int) -> Draft:
    values = np.zeros(64, np.float32)
    capture = Capture(signal=0, time_us=number, rate_hz=100.0, values=values, why=Why.ROUTINE)
    return Draft(batch_class=BatchClass.WAVEFORM, table_hash=TABLE.hash, captures=(capture,))


def alarm() -> Draft:
    event = GapEvent(time_us=1, reason="bad-window")
    return Draft(batch_class=BatchClass.ALARM, table_hash=TABLE.hash, events=(event,))


def sequences(hub: Hub) -> list[int]:
    return [sequence for _, sequence in hub.settled.arrivals]


def test_an_alarm_overtakes_a_backlog_whose_marks_do_not_come(hub: Hub, outbox: Outbox, uplink) -> None:
    hub.mute = True
    outbox.commit([samples(n) for n in range(20)], now_us=0)
    link = uplink(Plain())
    until(lambda: set(sequences(hub)) == {1, 2, 3})
    outbox.commit([alarm()], now_us=0)
    link.nudge()
    until(lambda: 21 in sequences(hub))
    until(lambda: sequences(hub).count(1) >= 3, what="the oldest is sent again and again")
    assert set(sequences(hub)) == {1, 2, 3, 21}, "three and one kept for alarms: the window of four"
    assert sequences(hub).count(2) == 1, "only the oldest is sent again"
    hub.mute = False
    until(lambda: outbox.backlog.batches == 0)
    assert hub.settled.reused == []


def test_what_is_live_overtakes_raw_windows(hub: Hub, outbox: Outbox, uplink) -> None:
    link = uplink(Plain())
    until(lambda: link.state.connected)
    outbox.commit([window(1), window(2), samples(3)], now_us=0)
    link.nudge()
    until(lambda: outbox.backlog.batches == 0)
    assert sequences(hub) == [3, 1, 2]


def test_the_birth_comes_before_any_batch_and_again_when_asked_with_every_table(
    hub: Hub, outbox: Outbox, uplink
) -> None:
    listener = Plain()
    outbox.commit([samples(1)], now_us=0)
    link = uplink(listener)
    until(lambda: hub.settled.count == 1)
    assert [birth.table for birth in hub.births] == [TABLE]
    hub.say(Topic(DEVICE, Channel.COMMAND), Command(kind="rebirth").to_json())
    until(lambda: len(hub.births) == 3)
    assert hub.births[-1].table == TABLE
    link.announce()
    until(lambda: len(hub.births) == 4)
    assert listener.every_table == [False, True, False]


def test_directives_and_commands_reach_who_answers_for_the_device(hub: Hub, uplink) -> None:
    listener = Plain()
    uplink(listener)
    until(lambda: hub.births)
    hub.say(Topic(DEVICE, Channel.DIRECTIVE, "motor-health"), b"signed bytes")
    hub.say(Topic(DEVICE, Channel.COMMAND), Command(kind="self-test", id="7").to_json())
    until(lambda: listener.commands)
    assert listener.directives == [("motor-health", b"signed bytes")]
    assert listener.commands == [Command(kind="self-test", id="7")]


def test_a_batch_that_the_hub_cannot_read_is_let_go_and_no_other(hub: Hub, outbox: Outbox, uplink) -> None:
    hub.mute = True
    outbox.commit([samples(n) for n in range(3)], now_us=0)
    link = uplink(Plain())
    until(lambda: set(sequences(hub)) == {1, 2, 3})
    (second,) = (sha for key, sha in hub.settled.hashes.items() if key[1] == 2)
    for told in ("00" * 32, second.hex(), second.hex(), None):
        hub.say(
            Topic(DEVICE, Channel.COMMAND), Command(kind="unreadable", arguments={"sha256": told}).to_json()
        )
    until(lambda: outbox.backlog.batches == 2)
    assert (outbox.has_losses, outbox.floors()[-1].floor) == (True, 1)
    outbox.commit([alarm()], now_us=5, tell_losses=True)
    hub.mute = False
    link.nudge()
    until(lambda: outbox.backlog.batches == 0)
    (gap,) = (gap for gap in hub.settled.events(GapEvent) if gap.first_sequence)
    assert (gap.reason, gap.first_sequence, gap.last_sequence) == ("unreadable", 2, 2)


def test_what_makes_no_sense_is_refused_by_name_and_the_link_stays(hub: Hub, outbox: Outbox, uplink) -> None:
    link = uplink(Plain())
    until(lambda: hub.births)
    hub.say(Topic(DEVICE, Channel.COMMITTED), b'{"epoch": 1, "mark": -4, "beyond": []}')
    hub.say(Topic(DEVICE, Channel.COMMAND), b"\xff")
    until(lambda: link.state.refused == 2)
    outbox.commit([samples(1)], now_us=0)
    link.nudge()
    until(lambda: outbox.backlog.batches == 0)
    assert (link.state.connected, link.state.connections) == (True, 1)


def test_another_devices_certificate_gets_nothing_through(hub: Hub, outbox: Outbox, uplink) -> None:
    """The broker drops what is not its sender's own topic; the batch stays in the outbox."""
    outbox.commit([samples(1)], now_us=0)
    link = uplink(Plain(), certificate="press-05")
    until(lambda: link.state.refused)
    assert "not authorized" in link.state.last_refusal.lower()
    assert (hub.settled.arrivals, outbox.backlog.batches) == ([], 1)


def test_a_connection_shows_the_certificate_that_is_there_when_it_begins(broker, uplink) -> None:
    """One that was renewed ends no connection: it is shown by the next."""
    shown = []

    def tls() -> ssl.SSLContext:
        shown.append(len(shown))
        return broker.authority.issue(DEVICE).context()

    link = uplink(Plain(), tls=tls)
    until(lambda: link.state.connected)
    assert shown == [0]
    broker.part.stop()
    broker.part.start()
    until(lambda: link.state.connections == 2)
    assert len(shown) >= 2


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_a_broker_of_another_authority_is_not_spoken_to(outbox: Outbox, uplink) -> None:
    link = uplink(Plain(), tls=ssl.create_default_context)
    until(lambda: "CERTIFICATE_VERIFY_FAILED" in link.state.reason or "certificate" in link.state.reason)
    assert link.state.connections == 0


def test_connections_leave_no_descriptors_behind(outbox: Outbox) -> None:
    """Neither paho's nor a socket's, before any collection: full ones are days apart in an agent."""
    with listen("tcp:127.0.0.1:0") as hasty:
        hang_up = threading.Thread(target=lambda: [hasty.accept()[0].close() for _ in range(12)], daemon=True)
        hang_up.start()
        address = Address(host="127.0.0.1", port=hasty.getsockname()[1], tls=None)
        gc.collect()
        gc.disable()
        try:
            counts = []
            for _ in range(12):
                inbox: SimpleQueue[Item] = SimpleQueue()
                connection = Connection(DEVICE, inbox=inbox, will=Status(online=False, since_us=0))
                connection.open(address, keepalive_s=5)
                assert isinstance(inbox.get(timeout=5), Lost)
                connection.close()
                del connection
                counts.append(len(list(Path("/proc/self/fd").iterdir())))
        finally:
            gc.enable()
        hang_up.join(5)
    assert counts[-1] <= counts[1], f"descriptors grow: {counts}"


def test_an_uplink_that_never_began_is_stopped_all_the_same(uplink: Callable[..., Uplink]) -> None:
    link = uplink(Plain())
    link.stop()
    assert not link.alive()
