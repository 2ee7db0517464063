"""What the outbox gives up, and how it tells: a full one the least precious class first, the oldest first.

The loss is noted in the transaction that drops the batch, so a batch is either
still there or on the way to the hub as a gap. Alarms, gaps and reports are never
dropped for want of space; any batch is that the hub has and cannot read.
"""

import sqlite3
from dataclasses import dataclass, field

from edge_agent.outbox_file import load_queries, transaction
from edge_agent.outbox_keys import Key
from wire.batch import BatchClass, GapEvent

DISK_FULL = "disk-full"
MOST_TOLD = 500  # gaps in one batch
AT_ONCE = 32
DROPPABLE = range(len(BatchClass) - 1, 0, -1)  # classes, the least precious first
SQL = load_queries("outbox.sql")


@dataclass(slots=True, kw_only=True)
class Dropping:
    """What one transaction drops. ``oldest``: no batch of that class has a lower id, once it is committed."""

    db: sqlite3.Connection
    row_bytes: int  # what a batch costs beside its payload
    oldest: dict[int, int]
    batches: int = field(default=0, init=False)
    bytes: int = field(default=0, init=False)  # of budget that came free
    untold: bool | None = field(default=None, init=False)  # whether losses are to be told; None: as before

    def shrink(self, excess: int, *, least: int = 1, end: int) -> None:
        """Drop until ``excess`` bytes are free, or classes from ``least`` up hold none below ``end``."""
        for number in DROPPABLE:
            while number >= least and self.bytes < excess and self._drop_oldest(number, excess, end):
                pass

    def _drop_oldest(self, number: int, excess: int, end: int) -> bool:
        """Drop some of one class; whether there may be more."""
        place = {"class": number, "id": self.oldest.get(number, 0), "limit": AT_ONCE}
        rows = self.db.execute(SQL["oldest_of_class"], place).fetchall()
        if not rows:
            self.oldest[number] = end
        for identity, size, from_us, to_us, epoch in rows:
            if self.bytes >= excess:
                break
            span = {"from_us": from_us, "to_us": to_us, "epoch": epoch}
            _drop(self.db, Key.of(identity), {**span, "reason": DISK_FULL})
            self.batches += 1
            self.bytes += size + self.row_bytes
            self.oldest[number] = identity + 1
        return bool(rows)


def lose(db: sqlite3.Connection, key: Key, reason: str) -> int | None:
    """Drop one batch, in a transaction of its own; the bytes of its payload, None where it is not held."""
    with transaction(db):
        found = db.execute(SQL["span"], {"id": key.id}).fetchone()
        if found is None:
            return None
        size, from_us, to_us, epoch = found
        _drop(db, key, {"from_us": from_us, "to_us": to_us, "epoch": epoch, "reason": reason})
    return int(size)


def untold(db: sqlite3.Connection, now_us: int) -> list[GapEvent]:
    """The oldest losses that no gap has told of."""
    return [
        GapEvent(
            time_us=now_us,
            reason=reason,
            from_us=from_us,
            to_us=to_us,
            epoch=int.from_bytes(epoch),
            first_sequence=first,
            last_sequence=last,
        )
        for epoch, first, last, from_us, to_us, reason in db.execute(SQL["losses"], {"limit": MOST_TOLD})
    ]


def exist(db: sqlite3.Connection) -> bool:
    """Whether there is any loss that no gap has told of."""
    return bool(db.execute(SQL["losses_exist"]).fetchone()[0])


def told(db: sqlite3.Connection) -> None:
    """What ``untold`` gave is in a batch now."""
    db.execute(SQL["forget_losses"], {"limit": MOST_TOLD})


def _drop(db: sqlite3.Connection, key: Key, loss: dict[str, object]) -> None:
    db.execute(SQL["forget_range"], {"first": key.id, "last": key.id})
    row = {**loss, "sequence": key.sequence}
    if not db.execute(SQL["extend_loss"], row).rowcount:
        db.execute(SQL["insert_loss"], row)
