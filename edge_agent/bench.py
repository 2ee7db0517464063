"""What a promise costs a device: a durable commit beside bare appends to the same disk.

The disk is that of the temporary folder: ``TMPDIR`` chooses another. The rows with a
bar are the outbox's own work: sealing, writing and syncing batches that were packed
before its lock was taken, as ``Outbox.commit`` does; nobody waits for packing but
who asked for it. The row "with packing" is both, one after the other. Meanwhile
marks settle what is old and the log is moved into the file, as under a living hub.
In the outbox settling waits for no sync but is written by that of the next commit;
here it is synced at once, so that each row has its own cost. "Enqueue and settling"
is what a record costs the disk from the first to the last.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edge_agent.draft import Draft, Packed
from edge_agent.outbox import Outbox
from wire.batch import BatchClass, Series
from wire.codec import seal
from wire.messages import Marks

RECORD_SAMPLES = range(84, 140)  # of noise: 0.8 to 1.2 kB, for records of one size fit a page by luck, or not
HELD = 1000  # batches that wait for their marks
TABLE_HASH = bytes(range(32))
APPEND = "append + fdatasync"
A_ROUND = 201  # records that are enqueued, and so settled, in a round

Race = Callable[..., dict[str, list[float]]]


def outbox(race: Race, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Durable records a second, 100 and 1 a commit, against the same bytes appended and synced."""
    drafts = _drafts(100)
    packed = [draft.packed() for draft in drafts]
    records = [_record(item) for item in packed]
    kilobytes = sum(map(len, records)) / len(records) / 1000
    taken = _race(race, drafts, packed, records, rounds=10 if quick else 300)
    for count, bar in ((100, ">= 0.7"), (1, "")):
        yield {
            "figure": f"durable enqueue, {count} x {kilobytes:.1f} kB a commit",
            "value": count / median(taken[str(count)]),
            "unit": "record/s",
            "reference": APPEND,
            "reference_value": count / median(taken[f"append {count}"]),
            "bar": bar,
        }
    for name, label in (("100", "mean instead of median"), ("with packing", "with packing, mean")):
        yield {
            "figure": f"durable enqueue of 100, {label}",
            "value": 100 / mean(taken[name]),
            "unit": "record/s",
            "reference": APPEND,
            "reference_value": 100 / mean(taken["append 100"]),
        }
    settling = mean(taken["settling"]) * 100 / A_ROUND
    yield {
        "figure": "durable enqueue and settling of 100, mean",
        "value": 100 / (mean(taken["100"]) + settling),
        "unit": "record/s",
        "reference": APPEND,
        "reference_value": 100 / mean(taken["append 100"]),
    }
    for name, seconds in (("packing", mean(taken["packing"])), ("settling, synced", settling)):
        yield {"figure": f"beside a commit of 100, {name}", "value": seconds * 1e3, "unit": "ms"}


def _race(
    race: Race, drafts: Sequence[Draft], packed: Sequence[Packed], records: Sequence[bytes], *, rounds: int
) -> dict[str, list[float]]:
    with TemporaryDirectory(prefix="andon-bench-") as folder:
        path = Path(folder)
        with (
            closing(Outbox.open(path / "outbox.db", max_bytes=1 << 30)) as box,
            (path / "appended").open("ab", buffering=0) as file,
            (path / "outbox.db-wal").open("rb", buffering=0) as log,
        ):
            return race(
                {
                    "100": partial(box.commit, packed, now_us=0),
                    "append 100": partial(_append, file.fileno(), records),
                    "1": partial(box.commit, packed[:1], now_us=0),
                    "append 1": partial(_append, file.fileno(), records[:1]),
                    "packing": lambda: [draft.packed() for draft in drafts],
                    "settling": partial(_settle, box, log.fileno()),
                    "with packing": partial(box.commit, drafts, now_us=0),
                },
                rounds=rounds,
            )


def _append(descriptor: int, records: Sequence[bytes]) -> None:
    for record in records:
        os.write(descriptor, record)
    os.fdatasync(descriptor)


def _settle(box: Outbox, log: int) -> None:
    """The hub's marks for all but the newest; a long log is moved into the file."""
    box.forget([Marks(epoch=box.epoch, mark=max(0, box.newest.sequence - HELD))])
    os.fdatasync(log)


def _drafts(count: int) -> list[Draft]:
    rng = np.random.default_rng(4)
    sizes = rng.permutation(np.linspace(RECORD_SAMPLES.start, RECORD_SAMPLES.stop, count).astype(int))
    return [
        Draft(
            batch_class=BatchClass.SAMPLE,
            table_hash=TABLE_HASH,
            series=(
                Series(
                    signal=0, times=np.arange(size, dtype=np.int64) * 1_000_000, values=rng.normal(size=size)
                ),
            ),
        )
        for size in sizes
    ]


def _record(packed: Packed) -> bytes:
    return seal(packed.header(epoch=1 << 63, sequence=1, floor=1), packed.body)
