"""What a full outbox gives up, and how it tells: the least precious class first, the oldest first in it.

The loss is noted in the transaction that drops the batch, so a batch is either
still there or on the way to the hub as a gap. Alarms, gaps and reports are never
dropped.
"""

import sqlite3
from dataclasses import dataclass, field

from edge_agent.outbox_file import load_queries
from edge_agent.outbox_keys import Key
from wire.batch import BatchClass, GapEvent

REASON = "disk-full"
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
            self._drop(identity, {"from_us": from_us, "to_us": to_us, "epoch": epoch})
            self.batches += 1
            self.bytes += size + self.row_bytes
            self.oldest[number] = identity + 1
        return bool(rows)

    def _drop(self, identity: int, loss: dict[str, object]) -> None:
        self.db.execute(SQL["forget_range"], {"first": identity, "last": identity})
        row = {**loss, "sequence": Key.of(identity).sequence}
        if not self.db.execute(SQL["extend_loss"], row).rowcount:
            self.db.execute(SQL["insert_loss"], row)


def untold(db: sqlite3.Connection, now_us: int, *, most: int = MOST_TOLD) -> list[GapEvent]:
    """The oldest losses that no gap has told of."""
    return [
        GapEvent(
            time_us=now_us,
            reason=REASON,
            from_us=from_us,
            to_us=to_us,
            epoch=int.from_bytes(epoch),
            first_sequence=first,
            last_sequence=last,
        )
        for epoch, first, last, from_us, to_us in db.execute(SQL["losses"], {"limit": most})
    ]


def told(db: sqlite3.Connection, *, most: int = MOST_TOLD) -> None:
    """What ``untold`` gave is in a batch now."""
    db.execute(SQL["forget_losses"], {"limit": most})
