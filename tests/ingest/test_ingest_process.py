"""The real ``andon hub ingest`` between a real broker and a real database: killed, starved, poisoned, still exact."""

import json
import os
import signal
import time
from collections.abc import Iterator
from queue import Empty, Queue

import numpy as np
import pytest
from ingest_process import Ingest
from ingest_world import Sender, add_device, count, now_us, reasons, table_of, wait_for
from paho.mqtt.client import Client
from typer.testing import CliRunner

from cloud_hub.store import facts, fleet, quarantine, quarantine_cli
from cloud_hub.store.database import Database
from wire.batch import BatchClass, Rows
from wire.clock import Clock
from wire.codec import encode
from wire.messages import Command, Marks, Status, UseCaseState
from wire.topics import Channel, Topic, device_filters


class Device:
    """A small device: it sends what has no mark yet, for ever."""

    def __init__(self, broker, name: str, machine: str) -> None:
        self.sender = Sender(name=name, epoch=int.from_bytes(os.urandom(8)), table=table_of(machine))
        self.waiting: dict[int, bytes] = {}
        self.heard: Queue = Queue()
        self.client: Client = broker.client(name)
        ready: Queue = Queue()
        self.client.on_message = lambda _client, _data, message: self.heard.put(message)
        self.client.on_connect = lambda *_: self.client.subscribe(
            [(each, 1) for each in device_filters(name)]
        )
        self.client.on_subscribe = lambda *_: ready.put(True)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        ready.get(timeout=10)

    def say(self, channel: Channel, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(str(Topic(self.sender.name, channel)), payload, qos=1, retain=retain)

    def birth(self, **fields) -> None:
        self.say(Channel.BIRTH, self.sender.birth(**fields).to_json(), retain=True)

    def samples(self, values) -> None:
        batch = self.sender.samples(values)
        self.waiting[batch.sequence] = encode(batch)

    def send(self) -> None:
        for payload in list(self.waiting.values()):
            self.say(Channel.BATCH, payload)

    def hear(self, timeout: float = 0.1) -> None:
        """Apply marks until none comes for a moment; a rebirth is obeyed."""
        while True:
            try:
                message = self.heard.get(timeout=timeout)
            except Empty:
                return
            match Topic.parse(message.topic).channel:
                case Channel.COMMITTED:
                    marks = Marks.from_json(message.payload)
                    settled = ((0, marks.mark), *marks.beyond)
                    for sequence in [at for at in self.waiting if any(a <= at <= b for a, b in settled)]:
                        del self.waiting[sequence]
                case Channel.COMMAND if Command.from_json(message.payload).kind == "rebirth":
                    self.birth()

    def drain(self, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while self.waiting and time.monotonic() < deadline:
            self.send()
            self.hear(0.5)
        assert not self.waiting, f"{len(self.waiting)} batches never got a mark"

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def device(broker, store: Database) -> Iterator[Device]:
    add_device(store, "press-01")
    made = Device(broker, "press-01", "pump-1")
    yield made
    made.close()


def test_killed_in_mid_stream_and_two_at_once_the_count_stays_exact(
    store: Database, ingest: Ingest, device: Device
) -> None:
    ingest.start(), ingest.start()
    device.birth()
    produced = 0
    for turn in range(6):
        for _ in range(20):
            device.samples(np.random.default_rng(produced).normal(size=200))
            produced += 200
        device.send()
        device.hear(0.05)
        if turn in (1, 3):
            ingest.said("connected to the broker", times=turn // 2 + 2)
            ingest.processes[turn // 2].kill()  # SIGKILL, whatever it was doing
            ingest.start()
    device.drain()
    found = facts.facts(store)
    assert found.samples_by_device == {"press-01": produced}
    assert (found.missing, found.quarantined) == ({}, {})
    assert store.row("SELECT mark FROM mark")["mark"] == 120
    assert "Traceback" not in ingest.log.read_text()


def test_told_to_stop_it_finishes_and_leaves(store: Database, ingest: Ingest, device: Device) -> None:
    process = ingest.start()
    device.birth()
    device.samples([1.0] * 100)
    device.drain()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert (count(store, "sample"), "Traceback" in ingest.log.read_text()) == (100, False)


def test_told_to_stop_before_the_database_was_ever_there_it_leaves_quietly(
    ingest: Ingest, database: str, empty_database: str
) -> None:
    ingest.config.write_text(ingest.config.read_text().replace(database, empty_database))
    process = ingest.start()
    ingest.said("the database does not take anything")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert "Traceback" not in ingest.log.read_text()


def test_what_was_said_before_it_came_is_heard(store: Database, ingest: Ingest, device: Device) -> None:
    device.birth()
    device.say(Channel.STATUS, Status(online=True, since_us=now_us()).to_json(), retain=True)
    ingest.start()
    wait_for(lambda: fleet.device(store, "press-01").online)
    assert fleet.device(store, "press-01").machines == ["pump-1"]


def test_an_unknown_table_leads_to_a_rebirth_and_poison_to_quarantine(
    store: Database, ingest: Ingest, device: Device
) -> None:
    ingest.start()
    ingest.said("connected to the broker")
    device.samples([1.0, 2.0])
    device.say(Channel.BATCH, b"poison")
    device.say(Channel.BIRTH, b'{"time_us": 1e999}')
    device.say(Channel.STATUS, b"[]")
    late = device.sender.samples([9.0], start=now_us() - 40 * 86_400_000_000)
    device.waiting[late.sequence] = encode(late)
    device.drain()
    wait_for(lambda: reasons(store) == {"NotABatch": 1, "Message": 2, "TooLate": 1})
    wait_for(lambda: count(store, "sample") == 2)
    assert fleet.device(store, "press-01").rejected == 5  # the one that waited for its table among them


def test_a_stored_directive_goes_out_when_a_birth_lacks_it_and_when_it_is_written(
    store: Database, ingest: Ingest, device: Device
) -> None:
    def write(sequence: int, signed: bytes, *, told: str = "press-01") -> None:
        with store.transaction() as connection:
            connection.execute(
                "INSERT INTO directive SELECT id, 'motor-health', %s, 'motor-health/1', 'r1', 'install', %s, %s FROM device",
                (sequence, signed, Clock.real().now()),
            )
            connection.execute("SELECT pg_notify('andon_directive', %s)", (told,))

    def directive() -> bytes:
        while True:
            message = device.heard.get(timeout=10)
            if Topic.parse(message.topic).channel is Channel.DIRECTIVE:
                return message.payload

    write(5, b"five")
    ingest.start()
    ingest.said("connected to the broker")
    device.birth()
    assert directive() == b"five"
    device.birth(use_cases=(UseCaseState(use_case="motor-health", accepted_sequence=5, release=""),))
    wait_for(lambda: [r.accepted_sequence for r in fleet.device(store, "press-01").releases] == [5])
    write(6, b"six")
    while (heard := directive()) != b"six":  # a birth that came twice was answered twice
        assert heard == b"five"
    write(7, b"seven", told="")  # many were directed: look at all
    while (heard := directive()) != b"seven":
        assert heard == b"six"
    command = {"device": "press-01", "command": {"kind": "self-test", "id": "1", "arguments": {}}}
    store.row("SELECT pg_notify('andon_command', %(text)s)", {"text": json.dumps(command)})
    wait_for(lambda: any(Topic.parse(m.topic).channel is Channel.COMMAND for m in list(device.heard.queue)))


def test_a_refused_prediction_is_replayed_when_its_release_is_known(
    store: Database, ingest: Ingest, device: Device
) -> None:
    ingest.start()
    device.birth()
    rows = Rows(
        machine=0, source="motor-health/1", times=np.array([now_us()]), values=np.ones((1, 4), np.float32)
    )
    batch = device.sender.batch(BatchClass.PREDICTION, rows=(rows,))
    device.waiting[batch.sequence] = encode(batch)
    device.drain()
    (waiting,) = quarantine.quarantined(store)
    assert waiting.reason == "UnknownRelease"
    now = {"now": Clock.real().now()}
    store.execute(
        "INSERT INTO run (id, use_case, state, correlation, created) VALUES ('r', 'motor-health', 'done', '', %(now)s)",
        now,
    )
    store.execute(
        "INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, created)"
        " VALUES ('motor-health', 1, 'motor-health/1', 'r', 'released', '', '', '{}', '{}', %(now)s)",
        now,
    )
    quarantine.ask_replay(store, waiting.id, now=now["now"])
    wait_for(lambda: count(store, "prediction") == 1)
    wait_for(lambda: quarantine.show(store, waiting.id)[0].settled is not None)


def test_a_database_or_broker_that_is_away_is_told_in_a_line_and_waited_for(
    store: Database, ingest: Ingest, device: Device, broker
) -> None:
    process = ingest.start()
    device.birth()
    device.samples([1.0] * 10)
    device.drain()
    store.execute("ALTER TABLE ledger RENAME TO ledger_away")
    device.samples([1.0] * 10)
    device.send()
    ingest.said("the database does not take anything")
    store.execute("ALTER TABLE ledger_away RENAME TO ledger")
    device.drain()
    store.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    device.samples([1.0] * 10)
    device.drain()
    broker.part.stop()
    ingest.said("the connection to the broker was lost")
    broker.part.start()
    ingest.said("connected to the broker", times=2, seconds=30)
    device.birth()
    device.samples([1.0] * 10)
    device.drain(40)
    assert count(store, "sample") == 40
    assert process.poll() is None
    assert "Traceback" not in ingest.log.read_text()


def test_all_that_wait_for_a_reason_are_replayed_by_one_command(
    store: Database, ingest: Ingest, device: Device
) -> None:
    ask = ["replay", "--reason", "RetiredDevice", "--config", str(ingest.config), "--json"]
    store.execute("UPDATE device SET retired = added")
    ingest.start()
    ingest.said("connected to the broker")
    for value in range(20):
        device.say(Channel.BATCH, encode(device.sender.samples([float(value)])))
    wait_for(lambda: reasons(store) == {"RetiredDevice": 20})
    refused = CliRunner().invoke(quarantine_cli.quarantine, ask)
    assert json.loads(refused.output) == {"asked": 20, "stored": 0, "refused": 20, "waiting": 0}
    assert refused.exit_code == 1
    store.execute("UPDATE device SET retired = NULL")
    device.birth()
    wait_for(lambda: count(store, "signal_table") == 1)
    stored = CliRunner().invoke(quarantine_cli.quarantine, ask)
    assert json.loads(stored.output) == {"asked": 20, "stored": 20, "refused": 0, "waiting": 0}
    assert (stored.exit_code, count(store, "sample"), reasons(store)) == (0, 20, {})
    again = CliRunner().invoke(quarantine_cli.quarantine, ["replay", "--config", str(ingest.config)])
    assert again.exit_code == 2
