"""One commit: rows, the losses that make room for them, positions and states, all of it or nothing."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count, groupby
from operator import attrgetter

from edge_agent import outbox_losses
from edge_agent.draft import Packed
from edge_agent.outbox_file import load_queries, transaction
from edge_agent.outbox_keys import Key
from edge_agent.outbox_losses import Dropping
from wire.batch import BatchClass
from wire.codec import seal_all

CLASSES = {item: number for number, item in enumerate(BatchClass)}
ALARM = CLASSES[BatchClass.ALARM]  # alarms, gaps and reports
RAW = CLASSES[BatchClass.WAVEFORM]
ROW_BYTES = 120  # what a batch costs beside its payload
AT_ONCE = 25  # rows a statement
SQL = load_queries("outbox.sql")
INSERT_AT_ONCE = SQL["insert_batch"].removesuffix(";") + ", (?, ?, ?, ?, ?)" * (AT_ONCE - 1)

KIND = attrgetter("batch_class", "table_hash", "backlog")  # what a header says beside its place

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


def sealed(packed: Sequence[Packed], *, epoch: int, first: Key, floor: int) -> list[Row]:
    """The rows of ``packed``, under sequences from that of ``first`` on."""
    rows: list[Row] = []
    for (batch_class, _, _), alike in groupby(packed, KIND):
        items, place = list(alike), Key(first.number, first.sequence + len(rows))
        header = items[0].header(epoch=epoch, sequence=place.sequence, floor=floor)
        payloads = seal_all(header, [item.body for item in items])
        worth = CLASSES[batch_class]
        rows += [
            (identity, worth, item.from_us, item.to_us, payload)
            for identity, item, payload in zip(count(place.id), items, payloads, strict=False)
        ]
    return rows


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
        if work.tells or dropping.batches:
            dropping.untold = outbox_losses.exist(db)
    return dropping


def _insert(db: sqlite3.Connection, rows: list[Row]) -> None:
    """Many rows a statement where there are many: each statement waits for Python's lock once more."""
    whole = len(rows) - len(rows) % AT_ONCE
    for first in range(0, whole, AT_ONCE):
        db.execute(INSERT_AT_ONCE, [*chain.from_iterable(rows[first : first + AT_ONCE])])
    db.executemany(SQL["insert_batch"], rows[whole:])
