"""One commit: rows, the losses that make room for them, positions and states, all of it or nothing."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from edge_agent import outbox_losses
from edge_agent.outbox_file import load_queries, transaction
from edge_agent.outbox_keys import Key
from edge_agent.outbox_losses import Dropping

ALARM = 0  # the class of alarms, gaps and reports
ROW_BYTES = 120  # what a batch costs beside its payload
AT_ONCE = 25  # rows a statement
SQL = load_queries("outbox.sql")
INSERT_AT_ONCE = SQL["insert_batch"].removesuffix(";") + ", (?, ?, ?, ?, ?)" * (AT_ONCE - 1)

Row = tuple[int, int, int, int, bytes]  # of table batch: id, class, from_us, to_us, payload


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one transaction writes."""

    rows: list[Row]  # of one epoch, in the order of their sequences
    positions: Mapping[str, int]
    states: Mapping[str, bytes]
    tells: bool  # of losses, by its first row

    @cached_property
    def cost(self) -> int:
        """Bytes of the budget."""
        return sum([len(row[4]) for row in self.rows]) + ROW_BYTES * len(self.rows)

    @cached_property
    def classes(self) -> set[int]:
        return {row[1] for row in self.rows}

    @property
    def has_alarm(self) -> bool:
        return ALARM in self.classes

    @property
    def only_alarms(self) -> bool:
        return self.classes <= {ALARM}


def write(db: sqlite3.Connection, work: Work, *, excess: int, oldest: Mapping[int, int]) -> Dropping:
    """Commit ``work``, and drop until ``excess`` bytes are free, with what is new among what may go.

    What goes before any of the new goes first, so that the new ones can live on its pages.
    """
    dropping = Dropping(db=db, row_bytes=ROW_BYTES, oldest=dict(oldest))
    with transaction(db):
        if work.tells:
            outbox_losses.told(db)
        if work.rows:
            first, last = work.rows[0][0], work.rows[-1][0]
            dropping.shrink(excess, least=max(1, *work.classes), end=first)
            _insert(db, work.rows)
            newest = Key.of(last)
            db.execute(SQL["set_next"], {"next": newest.sequence + 1, "number": newest.number})
            dropping.shrink(excess, end=last + 1)
        db.executemany(SQL["set_position"], work.positions.items())
        db.executemany(SQL["set_state"], work.states.items())
    return dropping


def _insert(db: sqlite3.Connection, rows: list[Row]) -> None:
    """Many rows a statement where there are many: each statement waits for Python's lock once more."""
    whole = len(rows) - len(rows) % AT_ONCE
    for first in range(0, whole, AT_ONCE):
        db.execute(INSERT_AT_ONCE, [*chain.from_iterable(rows[first : first + AT_ONCE])])
    db.executemany(SQL["insert_batch"], rows[whole:])
