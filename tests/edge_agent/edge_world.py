"""Around one agent: a source that can be counted, a hub that settles batches, the agent as a process."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from edge_flights import ranges_of

from wire.batch import Batch, Event
from wire.codec import decode
from wire.errors import FeedError
from wire.feed import End, FeedReader, FeedWriter, Hello, Open, Reading, listen
from wire.messages import Birth, Marks, Status
from wire.table import Machine, Signal, SignalTable
from wire.topics import Channel, Topic

REPOSITORY = Path(__file__).parents[2]
HEARD = ("batch", "birth", "status")
START_US = 1_700_000_000_000_000


def trend_table(machines: int = 2, scalars: int = 3) -> SignalTable:
    return SignalTable(
        machines=tuple(
            Machine(name=f"engine-{m}", machine_class="engine", feature_set="trend/1")
            for m in range(machines)
        ),
        signals=tuple(
            Signal(id=m * scalars + s, machine=m, name=f"s{s}", unit="1")
            for m in range(machines)
            for s in range(scalars)
        ),
    )


def trend_reading(position: int, machines: int = 2, scalars: int = 3) -> Reading:
    """The same position is always the same reading."""
    machine = position % machines
    chance = random.Random(position)
    return Reading(
        position=position,
        machine=machine,
        time_us=START_US + position * 1_000_000,
        signals=tuple(machine * scalars + s for s in range(scalars)),
        values=tuple(chance.gauss(s, 1.0) for s in range(scalars)),
    )


FAST = {"resend_s": 0.3, "resend_max_s": 2.0, "reconnect_max_s": 0.5, "max_age_s": 0.1, "window": 8}


def trend_source(folder: Path, readings: int, *, pace: float = 0.0, replayable: bool = True) -> "Source":
    return Source(
        folder / "feed.sock",
        trend_table(),
        lambda position: trend_reading(position) if position <= readings else None,
        pace=pace,
        replayable=replayable,
    )


class Source:
    """A feed server on a Unix socket; ``make`` gives the reading of a position, None at the end."""

    def __init__(
        self,
        path: Path,
        table: SignalTable,
        make: Callable[[int], Reading | None],
        *,
        replayable: bool = True,
        pace: float = 0.0,
    ) -> None:
        self.address = f"unix:{path}"
        self.table = table
        self.opened: list[int] = []
        self._make = make
        self._replayable = replayable
        self._pace = pace
        self._listener = listen(self.address)
        self._listener.settimeout(0.1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(5)
            with connection:
                try:
                    self._stream(FeedReader(connection), FeedWriter(connection))
                except (OSError, FeedError):
                    continue

    def _stream(self, reader: FeedReader, writer: FeedWriter) -> None:
        opening = reader.receive()
        assert isinstance(opening, Open)
        self.opened.append(opening.position)
        writer.send(Hello(table=self.table, replayable=self._replayable))
        position = opening.position
        while not self._stopping.is_set():
            reading = self._make(position + 1)
            if reading is None:
                writer.send(End(position=position))
                while not self._stopping.is_set() and reader.receive() is not None:
                    pass
                return
            writer.send(reading)
            position += 1
            if self._pace:
                time.sleep(self._pace)


@dataclass
class Settled:
    """What a hub's database would hold of one device."""

    batches: dict[tuple[int, int], Batch] = field(default_factory=dict)
    hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    reused: list[tuple[int, int]] = field(default_factory=list)  # same key, other bytes
    duplicates: int = 0
    arrivals: list[tuple[int, int]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many samples there are; safe while more arrive."""
        return sum(batch.samples for batch in list(self.batches.values()))

    def samples(self) -> list[tuple[int, int, float]]:
        return [
            (series.signal, int(when), float(value))
            for batch in self.batches.values()
            for series in batch.series
            for when, value in zip(series.times, series.values, strict=True)
        ]

    def rows(self, source: str) -> list[tuple[int, int, tuple[float, ...]]]:
        return sorted(
            (rows.machine, int(when), tuple(map(float, values)))
            for batch in self.batches.values()
            for rows in batch.rows
            if rows.source == source
            for when, values in zip(rows.times, rows.values, strict=True)
        )

    def events(self, kind: type[Event]) -> list[Event]:
        return [event for batch in self.batches.values() for event in batch.events if isinstance(event, kind)]


class Hub:
    """Settles what arrives and answers with marks; ``loses`` says which arrivals, or marks, get lost."""

    def __init__(
        self, client: mqtt.Client, host: str, port: int, *, loses: Callable[[], bool] = lambda: False
    ):
        self.settled = Settled()
        self.births: list[Birth] = []
        self.statuses: list[Status] = []
        self.deaf = False  # takes nothing and answers nothing
        self.mute = False  # takes and does not answer
        self._loses = loses
        self._client = client
        self._lock = threading.Lock()
        self._ready = threading.Event()
        client.on_message = self._on_message
        client.on_connect = lambda *_: client.subscribe([(f"andon/v1/+/{name}", 1) for name in HEARD])
        client.on_subscribe = lambda *_: self._ready.set()
        client.reconnect_delay_set(1, 1)
        client.connect(host, port)
        client.loop_start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: Topic, payload: bytes) -> None:
        self._client.publish(str(topic), payload, qos=1)

    def mark(self, epoch: int) -> Marks:
        held = {sequence for e, sequence in self.settled.batches if e == epoch}
        mark = 0
        while mark + 1 in held:
            mark += 1
        beyond = ranges_of({sequence for sequence in held if sequence > mark})
        return Marks(epoch=epoch, mark=mark, beyond=tuple(beyond))

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        topic = Topic.parse(message.topic)
        with self._lock:
            if topic.channel is Channel.BIRTH:
                self.births.append(Birth.from_json(message.payload))
            elif topic.channel is Channel.STATUS:
                self.statuses.append(Status.from_json(message.payload))
            elif not self.deaf and not self._loses():
                epoch = self._settle(message.payload)
                if not self.mute and not self._loses():
                    committed = Topic(topic.device, Channel.COMMITTED)
                    self._client.publish(str(committed), self.mark(epoch).to_json(), qos=0)

    def _settle(self, payload: bytes) -> int:
        batch, digest = decode(payload), hashlib.sha256(payload).digest()
        key = (batch.epoch, batch.sequence)
        self.settled.arrivals.append(key)
        if key in self.settled.hashes:
            self.settled.duplicates += 1
            if self.settled.hashes[key] != digest:
                self.settled.reused.append(key)
        else:
            self.settled.hashes[key], self.settled.batches[key] = digest, batch
        return batch.epoch


class Device:
    """One agent with its folder; started, killed and stopped as a process."""

    def __init__(self, folder: Path, broker, name: str, feed: str, **sections: dict[str, object]) -> None:
        self.folder, self.name = folder, name
        self.config = folder / "agent.toml"
        self.log = folder / "agent.log"
        identity = folder / "state" / "identity"
        identity.mkdir(parents=True)
        files = broker.authority.issue(name)
        for source, target in (
            (files.certificate, "device.crt"),
            (files.key, "device.key"),
            (files.ca, "ca.crt"),
        ):
            shutil.copy(source, identity / target)
        (identity / "root.json").write_text("{}")
        enrolment = {
            "device": name,
            "site": "plant-1",
            "hub_url": "https://127.0.0.1:1",
            "broker_host": broker.host,
            "broker_port": broker.port,
            "time_us": 0,
        }
        (identity / "enrolment.json").write_text(json.dumps(enrolment))
        lines = [f'device = "{name}"', 'state_dir = "state"', "[feed]", f'address = "{feed}"']
        for section, settings in sections.items():
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
        self.config.write_text("\n".join(lines) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "andon", "edge", *arguments, "--config", str(self.config)]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command("run"),
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
                env=os.environ | {"ANDON_CLOCK": ""},
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 6.0) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def status(self) -> dict:
        """What the agent last wrote; waits for its first words."""
        until((self.state / "status.json").exists)
        return json.loads((self.state / "status.json").read_text())


def until(true: Callable[[], object], *, timeout_s: float = 90.0, what: str = "") -> None:
    """Wait until ``true()`` holds."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain {what}"
        time.sleep(0.02)


def positions(readings: Sequence[Reading]) -> Iterator[tuple[int, int, float]]:
    """The samples of readings: signal, time and value."""
    for reading in readings:
        for signal_id, value in zip(reading.signals, reading.values, strict=True):
            yield signal_id, reading.time_us, value
