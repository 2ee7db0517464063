"""Machines with feature rows and labels, put into a database as ingest would have stored them."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from cloud_hub.store.database import Database
from kernels import sets
from models import use_case
from wire.clock import Clock, to_datetime
from wire.table import Machine, Signal, SignalTable

BEGIN_US = Clock.real().now_us() - 40 * 86_400_000_000
HOUR_US = 3_600_000_000
SCALARS = (("pressure", "bar"), ("temperature", "Cel"))
TURBOFAN = use_case.find("turbofan-rul")
SIGNALS = tuple((signal.name, signal.unit) for signal in TURBOFAN.signals)


class Stored:
    """A database with one device; machines are added one by one."""

    def __init__(
        self,
        database: Database,
        *,
        machine_class: str = "turbofan",
        scalars: Any = SIGNALS,
        feature_set: str = TURBOFAN.feature_set,
    ) -> None:
        self.database = database
        self.feature_set = feature_set
        self.machine_class = machine_class
        self.scalars = tuple(scalars)
        self.machines: dict[str, int] = {}
        # However old the rows are, there is a partition for them.
        with database.transaction() as connection:
            for table in ("feature", "prediction"):
                connection.execute(f"CREATE TABLE IF NOT EXISTS {table}_rest PARTITION OF {table} DEFAULT")
            site = connection.execute("INSERT INTO site (name) VALUES ('lyon') RETURNING id").fetchone()
            device = connection.execute(
                "INSERT INTO device (name, site, profile, added) VALUES ('cell-1', %s, 'x86', %s) RETURNING id",
                (site["id"], to_datetime(BEGIN_US)),
            ).fetchone()
        self.device = device["id"]

    def add(
        self,
        name: str,
        *,
        units: dict[str, str] | None = None,
        feature_set: str | None = None,
        scalars: Any = None,
    ) -> int:
        """A machine with a signal table of its own."""
        chosen = self.feature_set if feature_set is None else feature_set
        with self.database.transaction() as connection:
            row = connection.execute(
                "INSERT INTO machine (name, device, machine_class, feature_set, added) "
                "VALUES (%s, %s, %s, %s, %s) RETURNING id",
                (name, self.device, self.machine_class, chosen, to_datetime(BEGIN_US)),
            ).fetchone()
        self.machines[name] = row["id"]
        self.declare(name, BEGIN_US, units=units, feature_set=chosen, scalars=scalars)
        return int(row["id"])

    def declare(
        self,
        name: str,
        seen_us: int,
        *,
        units: dict[str, str] | None = None,
        feature_set: str | None = None,
        scalars: Any = None,
    ) -> None:
        """Another signal table of a machine, first seen at ``seen_us``."""
        chosen = self.feature_set if feature_set is None else feature_set
        signals = tuple(
            Signal(id=i, machine=0, name=scalar, unit=(units or {}).get(scalar, unit))
            for i, (scalar, unit) in enumerate(scalars or self.scalars)
        )
        machine = Machine(name=name, machine_class=self.machine_class, feature_set=chosen)
        table = SignalTable(machines=(machine,), signals=signals)
        self.database.execute(
            "INSERT INTO signal_table (device, hash, body, machines, signals, seen) "
            "VALUES (%(device)s, %(hash)s, %(body)s::jsonb, %(machines)s, '{}', %(seen)s)",
            {
                "device": self.device,
                "hash": table.hash,
                "body": table.to_json().decode(),
                "machines": [self.machines[name]],
                "seen": to_datetime(seen_us),
            },
        )

    def rows(
        self, name: str, times_us: Iterable[int], features: NDArray[np.float32], *, sequence: int = 1
    ) -> None:
        with self.database.transaction() as connection, connection.cursor() as cursor:
            columns = "time, machine, device, epoch, sequence, feature_set, values"
            with cursor.copy(f"COPY feature ({columns}) FROM STDIN") as copy:
                for time_us, row in zip(times_us, features, strict=True):
                    place = (to_datetime(int(time_us)), self.machines[name], self.device, 1, sequence)
                    copy.write_row((*place, self.feature_set, row.tolist()))

    def label(
        self,
        name: str,
        time_us: int,
        kind: str = "failure",
        *,
        added_us: int | None = None,
        **detail: Any,
    ) -> None:
        self.database.execute(
            "INSERT INTO label (machine, time, kind, detail, source, added) "
            "VALUES (%(machine)s, %(time)s, %(kind)s, %(detail)s, 'test', %(added)s)",
            {
                "machine": self.machines[name],
                "time": to_datetime(time_us),
                "kind": kind,
                "detail": Jsonb(detail),
                "added": to_datetime(added_us or time_us),
            },
        )

    def predict(self, name: str, times_us: Sequence[int], values: Any, release: str) -> None:
        with self.database.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO prediction (time, machine, device, epoch, sequence, release, values) "
                "VALUES (%s, %s, %s, 1, 1, %s, %s)",
                [
                    (to_datetime(t), self.machines[name], self.device, release, list(map(float, row)))
                    for t, row in zip(times_us, values, strict=True)
                ],
            )

    def run(
        self, name: str, *, dataset: str | None = None, use_case: str = "turbofan-rul", **more: Any
    ) -> None:
        self.database.execute(
            "INSERT INTO run (id, use_case, dataset, state, code, metrics, correlation, created) VALUES "
            "(%(id)s, %(use_case)s, %(dataset)s, 'done', %(code)s, %(metrics)s, 'c-1', %(created)s)",
            {
                "id": name,
                "use_case": use_case,
                "dataset": dataset,
                "code": more.get("code", ""),
                "metrics": Jsonb(more.get("metrics", {})),
                "created": to_datetime(BEGIN_US) + timedelta(days=39),
            },
        )


def wearing(seed: int, readings: int, scalars: int = len(SCALARS)) -> NDArray[np.float64]:
    """Readings [n, scalars] of a machine that wears out: the first scalar drops towards the end."""
    rng = np.random.default_rng(seed)
    left = np.arange(readings)[::-1]
    values = rng.normal(0, 0.05, (readings, scalars)) + np.arange(1, scalars + 1)
    values[:, 0] -= np.exp(-left / 25)
    return values


def features_of(
    readings: NDArray[np.float64], scalars: Any = SCALARS, feature_set: str = "trend/1"
) -> NDArray[np.float32]:
    extractor = sets.make(feature_set, scalars=[name for name, _ in scalars], units=dict(scalars))
    return extractor.batch(np.arange(len(readings)), readings)


def fleet(stored: Stored, *, machines: int = 8, shortest: int = 60) -> None:
    """``machines`` that each ran to failure, hourly readings, one more that still runs."""
    for number in range(machines + 1):
        name = f"engine-{number}"
        stored.add(name)
        features = life_of(stored, number, shortest + 7 * number)
        times = BEGIN_US + HOUR_US * np.arange(len(features))
        stored.rows(name, times, features)
        if number < machines:
            stored.label(name, int(times[-1]))


def life_of(stored: Stored, seed: int, readings: int) -> NDArray[np.float32]:
    """The feature rows of a machine of ``stored`` that wears out."""
    values = wearing(seed, readings, len(stored.scalars))[:, ::-1]  # its first scalars may be settings
    return features_of(values, stored.scalars, stored.feature_set)
