"""Letting go of what the hub has settled, and of a long log: nothing here waits for a sync of its own.

What a power cut brings back is sent again, and the hub knows it. What a full disk
keeps from being forgotten waits in memory and is forgotten with the next marks.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.outbox_file import connect, load_queries, transaction
from edge_agent.outbox_keys import SEQUENCE_BITS, Key
from edge_agent.outbox_room import is_full
from wire.messages import Marks

LOG_BYTES = 4 << 20  # of the log, before it is moved into the file
AT_ONCE = 2000  # batches that one transaction forgets: more would make the log as long as they are many
MOST_WAITING = 4096  # marks; an epoch's newest one says nearly all of the older ones
LAST = (1 << SEQUENCE_BITS) - 1  # sequence
SQL = load_queries("outbox.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    batches: int = 0
    payloads: int = 0  # bytes
    full: bool = False  # a full disk kept the rest

    def __add__(self, other: "Forgotten") -> "Forgotten":
        return Forgotten(batches=self.batches + other.batches, payloads=self.payloads + other.payloads)


class Forgetting:
    """``forget`` is for the thread that has ``db``, ``tend`` for any.

    It forgets on the connection that commits, which still has in memory what it wrote a moment ago.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.logged = 0  # bytes in the log that the file lacks, about
        self._db = db
        self._mover = connect(path, synchronous="NORMAL")
        self._moving = threading.Lock()
        self._waiting: list[Marks] = []

    def forget(self, marks: Sequence[Marks], numbers: Mapping[int, int]) -> Forgotten:
        """Delete what ``marks`` cover, as a union.

        ``numbers``: of the epochs that are known here.
        """
        known = [item for item in (*self._waiting, *marks) if item.epoch in numbers][-MOST_WAITING:]
        gone, some = Forgotten(), AT_ONCE
        try:
            with _unsynced(self._db):
                while some == AT_ONCE:
                    with transaction(self._db):
                        settled = self._settle([(Key(numbers[item.epoch], 0), item) for item in known])
                    gone, some = gone + settled, settled.batches
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            self._waiting = known
            return replace(gone, full=True)
        self._waiting = []
        return gone

    def tend(self) -> None:
        """Move a long log into the file, beside commits: they go on meanwhile."""
        if self.logged < LOG_BYTES or not self._moving.acquire(blocking=False):
            return
        try:
            move_log(self._mover)
            self.logged = 0
        finally:
            self._moving.release()

    def close(self) -> None:
        with self._moving:
            self._mover.close()

    def _settle(self, marks: Sequence[tuple[Key, Marks]]) -> Forgotten:
        """Forget some. Whatever numbers a mark claims, it speaks of its own epoch."""
        gone = Forgotten()
        for epoch, item in marks:
            for first, last in ((1, item.mark), *item.beyond):
                start, end = epoch.id + max(1, min(first, LAST)), epoch.id + max(0, min(last, LAST))
                gone += self._forget_range(start, end, AT_ONCE - gone.batches)
            self._db.execute(SQL["set_mark"], {"number": epoch.number, "mark": min(item.mark, LAST)})
        return gone

    def _forget_range(self, first: int, last: int, most: int) -> Forgotten:
        place = {"first": first, "last": last, "most": most}
        count, size, last_found = self._db.execute(SQL["range_held"], place).fetchone()
        if count:
            self._db.execute(SQL["forget_range"], {"first": first, "last": last_found})
        return Forgotten(batches=count, payloads=size)


@contextmanager
def _unsynced(db: sqlite3.Connection) -> Iterator[None]:
    """Commits in here reach the disk with the next one outside, or there is no next one."""
    db.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        try:
            db.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            db.close()
            raise


def move_log(db: sqlite3.Connection) -> bool:
    """Write what only the log has into the file; whether all of it is there now."""
    try:
        busy, logged, moved = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error as error:
        if not is_full(error):
            raise
        return False
    return not busy and logged == moved
