"""What a full outbox gives up, and how it tells: the least precious class first, the oldest first in it.

The loss is noted in the transaction that drops the batch, so a batch is either
still there or on the way to the hub as a gap. Alarms, gaps and reports are never
dropped.
"""

import sqlite3

from edge_agent.outbox_file import load_queries
from wire.batch import GapEvent

REASON = "disk-full"
MOST_TOLD = 500  # gaps in one batch
AT_ONCE = 32
SQL = load_queries("outbox.sql")


def shrink(db: sqlite3.Connection, excess: int) -> list[int]:
    """Drop batches until ``excess`` bytes are free or only alarms are left; what each had cost."""
    freed: list[int] = []
    while sum(freed) < excess:
        rows = db.execute(SQL["least_precious"], {"limit": AT_ONCE}).fetchall()
        if not rows:
            break
        for number, sequence, cost, from_us, to_us, epoch in rows:
            if sum(freed) >= excess:
                break
            _drop(db, number, sequence, {"from_us": from_us, "to_us": to_us, "epoch": epoch})
            freed.append(cost)
    return freed


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


def _drop(db: sqlite3.Connection, number: int, sequence: int, loss: dict[str, object]) -> None:
    db.execute(SQL["forget_range"], {"number": number, "first": sequence, "last": sequence})
    row = {**loss, "sequence": sequence}
    if not db.execute(SQL["extend_loss"], row).rowcount:
        db.execute(SQL["insert_loss"], row)
