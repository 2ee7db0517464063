"""What a promise costs a device: a durable commit beside bare appends to the same disk.

The disk is that of the temporary folder: ``TMPDIR`` chooses another. Records are
drafts, so a commit encodes, seals and indexes them; a row tells how much of it is encoding.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edge_agent.draft import Draft
from edge_agent.outbox import Outbox
from wire.batch import BatchClass, Series
from wire.codec import encode

RECORD_SAMPLES = 120  # about 1 kB of noise
TABLE_HASH = bytes(range(32))
APPEND = "append + fdatasync"

Race = Callable[..., dict[str, list[float]]]


def outbox(race: Race, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Durable records a second, 100 and 1 a commit, against the same bytes appended and synced."""
    drafts = _drafts(100)
    records = [encode(_sealed(draft)) for draft in drafts]
    kilobytes = sum(map(len, records)) / len(records) / 1000
    with TemporaryDirectory(prefix="andon-bench-") as folder:
        path = Path(folder)
        with (
            closing(Outbox.open(path / "outbox.db", max_bytes=1 << 30)) as box,
            (path / "appended").open("ab", buffering=0) as file,
        ):
            taken = race(
                {
                    "100": partial(box.commit, drafts, now_us=0),
                    "append 100": partial(_append, file.fileno(), records),
                    "1": partial(box.commit, drafts[:1], now_us=0),
                    "append 1": partial(_append, file.fileno(), records[:1]),
                    "encode": lambda: [encode(_sealed(draft)) for draft in drafts],
                },
                rounds=10 if quick else 150,
            )
    seconds = {name: median(times) for name, times in taken.items()}
    for count, bar in ((100, ">= 0.7"), (1, "")):
        yield {
            "figure": f"durable enqueue, {count} x {kilobytes:.1f} kB a commit",
            "value": count / seconds[str(count)],
            "unit": "record/s",
            "reference": APPEND,
            "reference_value": count / seconds[f"append {count}"],
            "bar": bar,
        }
    yield {"figure": "of a commit of 100, encoding", "value": seconds["encode"] * 1e3, "unit": "ms"}
    yield {
        "figure": "of a commit of 100, the rest",
        "value": (seconds["100"] - seconds["encode"]) * 1e3,
        "unit": "ms",
    }


def _append(descriptor: int, records: Sequence[bytes]) -> None:
    for record in records:
        os.write(descriptor, record)
    os.fdatasync(descriptor)


def _drafts(count: int) -> list[Draft]:
    rng = np.random.default_rng(4)
    times = np.arange(RECORD_SAMPLES, dtype=np.int64) * 1_000_000
    return [
        Draft(
            batch_class=BatchClass.SAMPLE,
            table_hash=TABLE_HASH,
            series=(Series(signal=0, times=times, values=rng.normal(size=RECORD_SAMPLES)),),
        )
        for _ in range(count)
    ]


def _sealed(draft: Draft) -> Any:
    return draft.batch(epoch=1 << 63, sequence=1, floor=1)
