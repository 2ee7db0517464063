"""A device as ingest sees it, and ingest's transactions without a broker."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cloud_hub.config import StoreSettings
from cloud_hub.ingest import births, replays
from cloud_hub.ingest.group import Outcome, Times, store_group
from cloud_hub.ingest.reading import Arrival, read
from cloud_hub.ingest.settling import Settled, Told, settle
from cloud_hub.ingest.tables import Tables
from cloud_hub.store import partitions
from cloud_hub.store.database import Database
from wire.batch import Batch, BatchClass, Series
from wire.clock import Clock
from wire.codec import encode
from wire.messages import Birth
from wire.table import Machine, Signal, SignalKind, SignalTable
from wire.topics import Channel, Topic

STORE = StoreSettings()


def now_us() -> int:
    return round(time.time() * 1e6)


def table_of(*machines: str) -> SignalTable:
    """Each machine with two scalars and a waveform: signals 3*i, 3*i+1 and 3*i+2."""
    signals = []
    for index in range(len(machines)):
        for name, unit, kind in (
            ("temperature", "Cel", SignalKind.SCALAR),
            ("pressure", "bar", SignalKind.SCALAR),
            ("vibration_x", "m/s2", SignalKind.WAVEFORM),
        ):
            signals.append(Signal(id=len(signals), machine=index, name=name, unit=unit, kind=kind))
    return SignalTable(
        machines=tuple(Machine(name=m, machine_class="pump", feature_set="trend/1") for m in machines),
        signals=tuple(signals),
    )


@dataclass
class Sender:
    """One device: it numbers its batches and knows what it put into each."""

    name: str = "press-01"
    epoch: int = 0xF123_4567_89AB_CDEF  # above 2**63 on purpose
    table: SignalTable = field(default_factory=lambda: table_of("pump-1"))
    sequence: int = 0
    floor: int = 1

    def batch(
        self, batch_class: BatchClass = BatchClass.SAMPLE, *, sequence: int | None = None, **parts
    ) -> Batch:
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        return Batch(
            batch_class=batch_class,
            epoch=self.epoch,
            sequence=sequence,
            floor=min(self.floor, sequence),
            table_hash=self.table.hash,
            **parts,
        )

    def samples(self, values: Sequence[float], *, signal: int = 0, start: int | None = None, **how) -> Batch:
        times = (start or now_us() - 60_000_000) + np.arange(len(values)) * 1000
        series = Series(signal=signal, times=times, values=np.array(values, float))
        return self.batch(series=(series,), **how)

    def birth(self, **fields) -> Birth:
        told = {
            "profile": "generic",
            "target": "generic",
            "agent_version": "1",
            "time_us": now_us(),
            "table": self.table,
        }
        return Birth(**told | fields)

    def arrival(self, message: Batch | bytes, channel: Channel = Channel.BATCH) -> Arrival:
        payload = message if isinstance(message, bytes) else encode(message)
        return Arrival(topic=str(Topic(self.name, channel)), payload=payload, received_us=now_us())


class Process:
    """One ingest process's memory, and its transactions."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tables = Tables()

    def times(self) -> Times:
        now = now_us()
        return Times(
            now_us=now,
            earliest_us=now - round(STORE.late_horizon_days * partitions.DAY_US),
            latest_us=now + 300_000_000,
        )

    def store(self, *arrivals: Arrival) -> Outcome:
        with self.database.transaction() as connection:
            return store_group(connection, [read(arrival) for arrival in arrivals], self.tables, self.times())

    def settle(self, told: dict[tuple[int, int], Told]) -> list[Settled]:
        with self.database.transaction() as connection:
            return settle(connection, told, Clock.real().now())

    def take(self, *arrivals: Arrival) -> Outcome:
        """Store and settle."""
        outcome = self.store(*arrivals)
        self.settle(dict(outcome.told))
        return outcome

    def born(self, sender: Sender, birth: Birth | None = None) -> births.Born:
        with self.database.transaction() as connection:
            row = connection.execute("SELECT id FROM device WHERE name = %s", (sender.name,)).fetchone()
            born = births.keep_birth(connection, row["id"], birth or sender.birth(), Clock.real().now())
        self.settle(born.told)
        with self.database.transaction() as connection:
            waiting = replays.decode_waiting(
                connection, born.device, born.table_hash, self.tables, self.times()
            )
        self.settle(waiting.told)
        return born


def add_device(database: Database, name: str, *, enrolled: bool = True, retired: bool = False) -> int:
    now = Clock.real().now()
    database.execute(
        "INSERT INTO site (name) VALUES ('north') ON CONFLICT DO NOTHING",
    )
    row = database.row(
        "INSERT INTO device (name, site, profile, added, enrolled, retired)"
        " SELECT %(name)s, id, 'generic', %(now)s, %(enrolled)s, %(retired)s FROM site RETURNING id",
        {
            "name": name,
            "now": now,
            "enrolled": now if enrolled else None,
            "retired": now if retired else None,
        },
    )
    return row["id"]


def count(database: Database, table: str) -> int:
    return database.row(f"SELECT count(*) AS n FROM {table}")["n"]


def reasons(database: Database) -> dict[str, int]:
    rows = database.rows("SELECT reason, count(*) AS n FROM quarantine WHERE settled IS NULL GROUP BY reason")
    return {row["reason"]: row["n"] for row in rows}


def mark_of(database: Database) -> int:
    return database.row("SELECT mark FROM mark")["mark"]


def wait_for(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)
