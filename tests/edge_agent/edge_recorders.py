"""A recorder on an outbox, and what the outbox has of it."""

from edge_world import trend_table

from edge_agent.config import UplinkSettings
from edge_agent.outbox import Key, Outbox
from kernels import sets
from wire.batch import Batch, BatchClass
from wire.codec import decode
from wire.feed import Hello

TREND = Hello(table=trend_table(), replayable=True)
NAMES = sets.make("trend/1", scalars=["s0", "s1", "s2"]).names
USUAL = UplinkSettings()
AT_ONCE = UplinkSettings(max_rows=1, max_age_s=0.05)


class Bystander:
    """A watcher that counts."""

    def __init__(self) -> None:
        self.commits = self.tables = 0

    def committed(self) -> None:
        self.commits += 1

    def table_changed(self) -> None:
        self.tables += 1

    def behind(self) -> bool:
        return False


def batches(outbox: Outbox) -> list[Batch]:
    found = [q for alarms in (True, False) for q in outbox.after(Key(0, 0), limit=10_000, alarms=alarms)]
    return [decode(queued.payload) for queued in sorted(found, key=lambda queued: queued.key)]


def samples(outbox: Outbox) -> list[tuple[int, int, float]]:
    return sorted(
        (series.signal, int(when), float(value))
        for batch in batches(outbox)
        for series in batch.series
        for when, value in zip(series.times, series.values, strict=True)
    )


def rows(outbox: Outbox, kind: BatchClass) -> list[tuple[int, str, int, tuple[float, ...]]]:
    return sorted(
        (part.machine, part.source, int(when), tuple(map(float, values)))
        for batch in batches(outbox)
        if batch.batch_class is kind
        for part in batch.rows
        for when, values in zip(part.times, part.values, strict=True)
    )


def events(outbox: Outbox, kind: type) -> list:
    return [event for batch in batches(outbox) for event in batch.events if isinstance(event, kind)]
