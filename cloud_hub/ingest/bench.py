"""How near ingest comes to the database: from a broker with TLS to committed rows, beside COPY by the server.

A publisher sends batches encoded before; the time ends with the last commit mark, so
everything is committed by then. Each run is counted: what was stored is what was sent.
The reference is the same rows from a ready file into a table made the same way, in one
transaction of the same server, in turn with the others and from a checkpoint on.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from cloud_hub.ingest import bench_load
from cloud_hub.ingest.bench_factory import Factory, Publisher
from cloud_hub.ingest.bench_load import Load
from cloud_hub.store.database import Connection, load_queries
from wire.clock import Clock

SAMPLES = 1000
POISON_EVERY = 100
BLOCKED_S = 3.0
HEAVY_MB = 150  # more than twice what a process may hold
QUERIES = load_queries("cloud_hub.ingest", "bench.sql")

Race = Callable[..., dict[str, list[float]]]


class Stopwatch:
    """A clock that stands still outside of what is measured."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Bench:
    """The runs that take turns; each counts what came of it."""

    def __init__(self, factory: Factory, publisher: Publisher, batches: int) -> None:
        self.watch = Stopwatch()
        self.runs = self.exact = 0
        self._factory = factory
        self._publisher = publisher
        self._batches = batches
        self._newest_us = Clock.real().now_us()
        self._file = factory.folder / "load"
        self._rows_file = ""
        with factory.database.connect() as connection:
            _make_reference(connection)

    def ingest(self, *, processes: int = 1, samples: int = SAMPLES, poison: bool = False) -> None:
        """From the first byte published to the last commit mark."""
        self._factory.ingest(processes)
        load = bench_load.write(
            self._file,
            self._factory.fleet,
            batches=self._batches if samples == SAMPLES else singles(self._batches),
            samples=samples,
            newest_us=self._newest_us,
            poison_every=POISON_EVERY if poison else 0,
        )
        self._clear()
        self._publisher.load(self._file)
        self.watch.seconds += self._publisher.go()
        self._check(load)
        if not self._rows_file:
            self._rows_file = self._write_rows()

    def copy(self) -> None:
        """The same rows by the server from its own file."""
        self._clear()
        with self._factory.database.connect() as connection:
            began = time.perf_counter()
            connection.execute(QUERIES["copy_reference"].format(file=self._rows_file))
            self.watch.seconds += time.perf_counter() - began

    def blocked(self) -> int:
        """The most memory, in bytes, that ingest held while the database took nothing and much came."""
        self._factory.ingest(1)
        process = Path(f"/proc/{self._factory.processes[0].pid}")
        load = bench_load.write_heavy(self._file, self._factory.fleet, megabytes=HEAVY_MB)
        self._clear()
        self._publisher.load(self._file)
        (process / "clear_refs").write_text("5")  # from here on, the peak is ours
        with self._factory.database.connect(autocommit=False) as connection:
            connection.execute(QUERIES["block"])
            self._publisher.start()
            time.sleep(BLOCKED_S)
        self._publisher.finish()
        self._check(load)
        found = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
        assert found is not None, "Linux says this of every process"
        return int(found[1]) * 1024

    def _clear(self) -> None:
        with self._factory.database.connect() as connection:
            for table in ("touched", "latest", "quarantine", "sample", "reference"):
                _try(partial(connection.execute, QUERIES["clear"].format(table=table)))
            connection.execute("CHECKPOINT")

    def _check(self, load: Load) -> None:
        stored = self._factory.database.row(QUERIES["stored"], {"scale": bench_load.SCALE})
        refused = self._factory.database.rows(QUERIES["refused"])
        assert stored is not None
        right = (stored["samples"], stored["total"]) == (load.samples, load.total)
        self.runs += 1
        self.exact += right and {row["reason"]: row["count"] for row in refused} == load.poison

    def _write_rows(self) -> str:
        """Have the server write what it stored to a file of its own."""
        with self._factory.database.connect() as connection:
            place = connection.execute("SHOW data_directory").fetchone()
            assert place is not None
            file = f"{place['data_directory']}/bench.rows"
            connection.execute(QUERIES["write_rows"].format(file=file))
        return file


def ingest(race: Race, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Rows a second into the store by the whole path, and what it takes."""
    with Factory() as factory:
        publisher = factory.publisher()
        factory.ingest(1)
        factory.await_births()
        bench = Bench(factory, publisher, batches=800 if quick else 3000)
        taken = race(
            {
                "one": bench.ingest,
                "copy": bench.copy,
                "poison": partial(bench.ingest, poison=True),
                "single": partial(bench.ingest, samples=1),
                "two": partial(bench.ingest, processes=2),
            },
            rounds=1 if quick else 5,
            clock=bench.watch,
        )
        peak = bench.blocked()
    yield from _rates({name: median(times) for name, times in taken.items()}, 800 if quick else 3000)
    yield {
        "figure": "runs in which everything was stored once or told by reason",
        "value": bench.exact,
        "unit": "run",
        "reference": "runs",
        "reference_value": bench.runs,
        "bar": ">= 1.0",
        "exact": True,
    }
    yield {
        "figure": f"ingest, peak memory, {HEAVY_MB} MB coming and the database blocked",
        "value": peak / 1e6,
        "unit": "MB",
        "bar": "<= 400",
        "exact": True,
    }


def singles(batches: int) -> int:
    """How many messages with one sample are sent where ``batches`` of them have a thousand."""
    return 2 * batches


def _rates(seconds: dict[str, float], batches: int) -> Iterator[dict[str, Any]]:
    rows = batches * SAMPLES
    rate = {name: rows / time for name, time in seconds.items()}
    rate["single"] = singles(batches) / seconds["single"]
    scale = f"{rows / 1e6:g} M rows"
    for figure, value, reference, against, bar in (
        (f"ingest, {SAMPLES} samples a batch, {scale}", "one", "COPY of a ready file", "copy", ">= 0.4"),
        ("the same", "one", "one sample a message", "single", ">= 20"),
        ("two ingest processes", "two", "one process", "one", ">= 0.95"),
        ("1 % of the messages poison", "poison", "none", "one", ">= 0.9"),
    ):
        yield {
            "figure": figure,
            "value": rate[value],
            "unit": "row/s",
            "reference": reference,
            "reference_value": rate[against],
            "bar": bar,
        }


def _try(work: Callable[[], object]) -> None:
    """Ingest's own keeper may be at the same tables: who is the victim then tries again."""
    for _ in range(20):
        with suppress(psycopg.errors.DeadlockDetected):
            work()
            return
    work()


def _make_reference(connection: Connection) -> None:
    """A table like ``sample``, with its indexes and partitions."""
    connection.execute(QUERIES["make_reference"])
    for row in connection.execute(QUERIES["partitions"]).fetchall():
        connection.execute(QUERIES["make_partition"].format(**row))
