"""A process that writes samples as ingest does, as fast as it can or just as a clock runs.

Run as a module; the orders come on standard input as one JSON line, and "stop" or its
end ends it. It prints one JSON line: what it wrote and how long that took.
"""

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloud_hub.ingest.judge import Judged
from cloud_hub.ingest.ledger import Key
from cloud_hub.ingest.writing import Storable, write_values
from cloud_hub.store.database import Connection, Database
from wire.clock import Clock

SECOND = 1_000_000
BLOCK_S = 30  # of machine time in one transaction: some ten thousand rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Write ``slow`` signals at 1 Hz and one at ``fast_hz`` from ``start_us`` on.

    With a clock: whatever is due by it. Without: for ``seconds``, as fast as it goes.
    """

    conninfo: str
    start_us: int
    slow: int
    fast_hz: int
    clock: str = ""
    seconds: float = 0.0


def main() -> None:
    orders = Orders(**json.loads(sys.stdin.readline()))
    stopping = threading.Event()
    threading.Thread(target=_await_end, args=(stopping,), daemon=True).start()
    with Database(orders.conninfo) as database, database.connect(autocommit=False) as connection:
        print(json.dumps(_write(connection, orders, stopping)), flush=True)


def _write(connection: Connection, orders: Orders, stopping: threading.Event) -> dict[str, Any]:
    clock = Clock.parse(orders.clock)
    at, rows, behind = orders.start_us, 0, 0.0
    began = time.monotonic()
    while not stopping.is_set() and not (orders.seconds and time.monotonic() - began > orders.seconds):
        if orders.clock and clock.now_us() < at + BLOCK_S * SECOND:
            time.sleep(0.002)
            continue
        rows += write_values(connection, [_block(orders, at)])
        connection.commit()
        at += BLOCK_S * SECOND
        behind = (clock.now_us() - at) / SECOND if orders.clock else 0.0
    return {"rows": rows, "seconds": time.monotonic() - began, "end_us": at, "behind_s": behind}


def _block(orders: Orders, start_us: int) -> Storable:
    """All signals for ``BLOCK_S``, one signal after the other as batches bring them."""
    slow = start_us + np.arange(BLOCK_S, dtype=np.int64) * SECOND
    fast = start_us + np.arange(BLOCK_S * orders.fast_hz, dtype=np.int64) * SECOND // orders.fast_hz
    times = np.concatenate([np.tile(slow, orders.slow), fast])
    signals = np.repeat(np.arange(1, orders.slow + 2, dtype=np.int32), [BLOCK_S] * orders.slow + [len(fast)])
    judged = Judged(
        times=times,
        signals=signals,
        values=(times // SECOND % 1000 / 10.0).astype(np.float64),
        rows=(),
        events=(),
        refusals=(),
    )
    key = Key(device=1, epoch=1, sequence=start_us)
    return Storable(key=key, judged=judged, machines=np.ones(1, np.int32))


def _await_end(stopping: threading.Event) -> None:
    sys.stdin.readline()
    stopping.set()


if __name__ == "__main__":
    main()
