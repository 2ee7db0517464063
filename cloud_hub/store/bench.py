"""How long charts and newest values take in a store with a day of samples and a week of rollups.

Measured three times: after a restart with the caches of the operating system dropped,
warm, and while a process writes at half of what it can write at most. Every fourth
chart is of the fast signal.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from math import ceil
from typing import Any

from cloud_hub.ingest.keeper import Keeper
from cloud_hub.store import charts, fleet, partitions, rollups
from cloud_hub.store.bench_data import SETTINGS, BenchStore, Scale, still
from cloud_hub.store.bench_load import Orders
from cloud_hub.store.database import Database
from wire.clock import Clock, to_datetime

FULL = Scale(slow=500, fast_hz=80)
QUICK = Scale(slow=50, fast_hz=8)
SPANS = {"10 min": timedelta(minutes=10), "24 h": timedelta(hours=24), "7 d": timedelta(days=7)}
CHART_BAR, LATEST_BAR = "<= 200", "<= 20"  # ms, of the slowest but a twentieth
BUSY = "while ingest writes at half its maximum"
ENSURE_S = 2.0

Rows = Iterator[dict[str, Any]]


def store(race: Callable[..., Any], *, quick: bool) -> Rows:
    """Every figure is the 95th percentile of single calls; nothing is raced."""
    scale, rounds = (QUICK, 8) if quick else (FULL, 40)
    with BenchStore(scale) as filled:
        yield from _about(filled)
        yield from _cold(filled, rounds=2 if quick else 20)
        with Database(filled.conninfo) as database:
            _figures(database, filled, lambda: filled.end_us, "warming up", 4)
            yield from _figures(database, filled, lambda: filled.end_us, "warm", rounds)
            yield from _busy(database, filled, rounds, seconds=2.0 if quick else 8.0)


def _about(filled: BenchStore) -> Rows:
    size = filled.row("size")
    yield {"figure": "samples", "value": filled.scale.rows, "unit": "rows"}
    yield {"figure": "a sample with its indexes", "value": _each(size, filled), "unit": "B"}
    yield {"figure": "rolled up", "value": filled.rolled_up_per_s, "unit": "samples/s"}
    yield {"figure": "partitions with BRIN alone", "value": filled.row("bare")["parts"], "unit": ""}


def _each(size: dict[str, Any], filled: BenchStore) -> float:
    return float(size["heap"] + size["indexes"]) / filled.scale.rows


def _cold(filled: BenchStore, *, rounds: int) -> Rows:
    """One call after each restart: the second would find the catalogue warm."""
    taken: dict[str, list[float]] = {name: [] for name in (*SPANS, "latest")}
    for number in range(rounds):
        for name, times in taken.items():
            filled.make_cold()
            with Database(filled.conninfo) as database:
                database.row("SELECT 1")  # connected, as a console is
                times.append(_timed(_call(database, filled.scale, name, filled.end_us, number)))
    how = "caches dropped" if filled.dropped_caches else "server restarted, caches of the system stay"
    yield from _told(filled.scale, taken, f"cold ({how})")


def _figures(
    database: Database, filled: BenchStore, now_us: Callable[[], int], how: str, rounds: int
) -> list[dict[str, Any]]:
    taken: dict[str, list[float]] = {name: [] for name in (*SPANS, "latest")}
    for number in range(rounds):
        for name, times in taken.items():
            times.append(_timed(_call(database, filled.scale, name, now_us(), number)))
    return list(_told(filled.scale, taken, how))


def _busy(database: Database, filled: BenchStore, rounds: int, *, seconds: float) -> Rows:
    """The same machines go on: as after an outage, their next hours come at half the maximum."""
    scale = filled.scale
    most = _written(_orders(filled, filled.end_us, seconds=seconds))
    rate = most["rows"] / most["seconds"]
    _settle(database, still(most["end_us"]))
    clock = Clock(most["end_us"], max(2.0, rate / 2 / scale.rows_per_second), time.time())
    with _tended(database, clock), _writing(_orders(filled, most["end_us"], clock=str(clock))) as done:
        time.sleep(seconds)
        found = _figures(database, filled, clock.now_us, BUSY, rounds)
    yield from found
    yield {"figure": "written at most", "value": rate, "unit": "samples/s"}
    yield {"figure": f"written {BUSY}", "value": done["rows"] / done["seconds"], "unit": "samples/s"}


def _call(database: Database, scale: Scale, name: str, now_us: int, number: int) -> Callable[[], object]:
    if name == "latest":
        return lambda: fleet.signals(database, "line")
    end = to_datetime(now_us)
    signal = f"s{scale.slow + 1 if number % 4 == 3 else 1 + number * 37 % scale.slow}"
    return lambda: charts.series(database, "line", signal, end - SPANS[name], end)


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3


def _told(scale: Scale, taken: dict[str, list[float]], how: str) -> Rows:
    for name, times in taken.items():
        latest = name == "latest"
        figure = f"newest values of {scale.slow + 1} signals" if latest else f"chart of {name}"
        bar = LATEST_BAR if latest else CHART_BAR
        yield {
            "figure": f"{figure}, p95 of {len(times)}, {how}",
            "value": sorted(times)[ceil(0.95 * len(times)) - 1],
            "unit": "ms",
            "bar": "" if latest and how.startswith("cold") else bar,
        }


def _orders(filled: BenchStore, start_us: int, **how: Any) -> Orders:
    scale = filled.scale
    return Orders(conninfo=filled.conninfo, start_us=start_us, slow=scale.slow, fast_hz=scale.fast_hz, **how)


def _written(orders: Orders) -> dict[str, Any]:
    with _writing(orders) as done:
        time.sleep(orders.seconds)
    return done


@contextmanager
def _writing(orders: Orders) -> Iterator[dict[str, Any]]:
    """A writing process; what it did is in the mapping afterwards."""
    command = [sys.executable, "-P", "-m", "cloud_hub.store.bench_load"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None, "it was asked for"
    process.stdin.write(json.dumps(asdict(orders)) + "\n")
    process.stdin.flush()
    done: dict[str, Any] = {}
    try:
        yield done
    finally:
        if orders.seconds:
            out = process.stdout.readline() if process.stdout else ""
            process.communicate()
        else:
            out, _ = process.communicate("stop\n")
        done.update(json.loads(out))


def _settle(database: Database, clock: Clock) -> None:
    """What was written at the maximum came without a keeper: the work it left is not that of the half."""
    with database.connect() as connection:
        partitions.summarise(connection)
        rollups.turn(connection, SETTINGS, clock)
        partitions.tidy(connection, SETTINGS, clock)


@contextmanager
def _tended(database: Database, clock: Clock) -> Iterator[None]:
    """What ingest does beside writing: its keeper, and partitions made before they are needed."""
    ended = threading.Event()

    def ensure() -> None:
        with database.connect() as connection:
            while not ended.wait(ENSURE_S):
                partitions.ensure(connection, SETTINGS, clock)

    with database.connect() as connection:
        partitions.ensure(connection, SETTINGS, clock)
    keeper = Keeper(database, SETTINGS, clock)
    keeper.start()
    with ThreadPoolExecutor(1) as pool:
        ensuring = pool.submit(ensure)
        try:
            yield
        finally:
            ended.set()
            keeper.stop()
        ensuring.result()
