"""Batches waiting on disk until the hub's database has them.

What a reading became, its sequence, the source's position and the features' state
are written in one transaction, so a crash at any instant leaves either all of it
or none. A batch goes when a commit mark settles it, or, in a full outbox, by
being less precious than another; the latter is told as a gap. A full disk is a
full outbox: it does not end the agent.
"""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import structlog

from edge_agent import outbox_losses
from edge_agent.draft import Draft, Packed, loss_draft
from edge_agent.errors import OutboxError, OutboxFullError
from edge_agent.outbox_epochs import Epochs
from edge_agent.outbox_file import Damage, connect, load_queries, open_file
from edge_agent.outbox_forgetting import Forgetting, move_log
from edge_agent.outbox_keys import Backlog, Key, Queued
from edge_agent.outbox_losses import Dropping
from edge_agent.outbox_room import Room, explained, is_full
from edge_agent.outbox_writing import ALARM, RAW, ROW_BYTES, Row, Work, sealed, write
from wire.messages import EpochFloor, Marks

__all__ = ["Backlog", "Key", "Outbox", "Queued"]

MOST_DROPPED = 4 << 20  # bytes beyond what a commit brings: the log holds the pages of all that it drops
ALARM_SHARE = 8  # of the budget, which what comes with an alarm may exceed
COMMIT_BYTES = 24 << 10  # what a commit adds to the log beside payloads, about
SQL = load_queries("outbox.sql")

log = structlog.get_logger()


class Outbox:
    """Thread-safe. Every opening is a new epoch; what older epochs hold keeps theirs."""

    def __init__(self, path: Path, *, room: Room, refuses: bool, damage: Damage | None, epoch: int) -> None:
        self.epoch = epoch
        self.damage = damage  # what became of a file that was no outbox any more
        self.dropped = 0  # batches, since it was opened
        self.refuses = refuses
        self.outdated = False  # the hub has settled more of an old epoch than was written here
        self._path = path
        self._room = room
        self._lock = threading.RLock()
        self._db = connect(path, synchronous="FULL")
        self._forgetting = Forgetting(path, self._db)
        self._epochs = Epochs(self._db, epoch)
        self._number, self._next = self._epochs.number, 1
        self._floor: int | None = None  # of this epoch; None: to be looked up
        self._oldest: dict[int, int] = {}  # no batch of that class has a lower id
        self._batches, payloads = self._db.execute(SQL["held"]).fetchone()
        self._bytes: int = payloads + ROW_BYTES * self._batches
        self._has_losses = outbox_losses.exist(self._db)
        room.begin()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        max_bytes: int,
        refuses: bool = False,
        draw: Callable[[], int] = lambda: secrets.randbits(64),
    ) -> Self:
        """The outbox at ``path``, with a new epoch; a file that SQLite distrusts is set aside."""
        room = Room(path, max_bytes=max_bytes)
        while True:
            try:
                damage = open_file(path)
                return cls(path, room=room, refuses=refuses, damage=damage, epoch=draw())
            except sqlite3.Error as error:
                if not (is_full(error) and room.release()):
                    raise OutboxError(f"{path} cannot be opened: {error}") from error

    def commit(
        self,
        drafts: Sequence[Draft | Packed],
        *,
        now_us: int,
        positions: Mapping[str, int] | None = None,
        states: Mapping[str, bytes] | None = None,
        tell_losses: bool = False,
    ) -> None:
        """Store all of it or nothing. Alarms are never refused; others raise ``OutboxFullError``.

        Drafts are packed before anybody has to wait for it.
        """
        packed = [draft.packed() for draft in drafts]
        with self._held():
            self._room.relax(self._owned)
            gaps = outbox_losses.untold(self._db, now_us) if tell_losses and self._has_losses else []
            telling = [draft.packed() for draft in loss_draft(gaps, drafts)]
            work = Work(
                rows=self._seal([*telling, *packed]),
                positions=positions or {},
                states=states or {},
                tells=bool(telling),
            )
            self._check_room(work)
            try:
                dropping = self._write(work, self._room.limit)
            except sqlite3.Error as error:
                dropping = self._write_on_full_disk(work, error)
            self._note_written(work, dropping)
            self._shorten_log()

    def after(self, key: Key, *, limit: int, alarms: bool) -> list[Queued]:
        """The oldest batches behind ``key``: alarms only, or all others only."""
        query = SQL["alarms_after" if alarms else "others_after"]
        with self._held():
            rows = self._db.execute(query, {"id": key.id, "limit": limit})
            return [
                Queued(key=Key.of(identity), alarm=worth == ALARM, raw=worth == RAW, payload=payload)
                for identity, worth, payload in rows
            ]

    def payload(self, key: Key) -> bytes | None:
        """The bytes first written under ``key``; None where it is settled or dropped."""
        with self._held():
            row = self._db.execute(SQL["payload"], {"id": key.id}).fetchone()
        return None if row is None else bytes(row[0])

    def number_of(self, epoch: int) -> int | None:
        """The number of ``epoch`` here; None for one this outbox does not know."""
        with self._lock:
            return self._epochs.numbers.get(epoch)

    def forget(self, marks: Iterable[Marks]) -> int:
        """Let go of what the hub has settled, as a union; returns how many batches that were."""
        marks = list(marks)
        with self._held():
            self.outdated |= self._epochs.hear(marks)
            gone = self._forgetting.forget(marks, self._epochs.numbers)
            if gone.full and self._room.give_up(self._bytes, self._free()):
                gone += self._forgetting.forget((), self._epochs.numbers)
            self._batches -= gone.batches
            self._bytes -= gone.payloads + ROW_BYTES * gone.batches
            self._floor = None
            if not self._epochs.alone:
                self._epochs.retire()
        self.tend()
        return gone.batches

    def lose(self, key: Key, reason: str) -> bool:
        """Drop a batch as a loss to be told; False where it is not held, or a full disk allows nothing."""
        with self._held():
            try:
                size = outbox_losses.lose(self._db, key, reason)
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                return False
            if size is None:
                return False
            self._batches, self._bytes = self._batches - 1, self._bytes - size - ROW_BYTES
            self._floor, self._has_losses = None, True
            self.dropped += 1
        return True

    def tend(self) -> None:
        """Move a long log into the file, beside commits; to be called several times a second."""
        try:
            self._forgetting.tend()
        except sqlite3.Error as error:
            raise explained(error, self._path) from error

    def floors(self) -> tuple[EpochFloor, ...]:
        """Per epoch, the oldest opened first: the lowest sequence held, else the next to be given."""
        with self._held():
            return self._epochs.floors()

    def introduce(self) -> tuple[EpochFloor, ...]:
        """The floors for a birth: from here on the hub may know of this epoch."""
        with self._held():
            self._epochs.introduce()
            return self._epochs.floors()

    @property
    def has_losses(self) -> bool:
        """Whether something was dropped that no gap has told of."""
        return self._has_losses

    @property
    def newest(self) -> Key:
        """The last batch that was committed, whatever became of it; sequence 0 before the first."""
        return Key(self._number, self._next - 1)

    def oldest_us(self) -> int:
        """From when on the hub may lack something; 0 where nothing waits."""
        with self._held():
            row = self._db.execute(SQL["oldest"]).fetchone()
        return int(row[0]) if row else 0

    @property
    def disk_full(self) -> bool:
        """Whether the disk, and not the budget, limits it now."""
        return self._room.disk_full

    @property
    def backlog(self) -> Backlog:
        return Backlog(batches=self._batches, bytes=self._bytes)

    def positions(self) -> dict[str, int]:
        with self._held():
            return dict(self._db.execute(SQL["positions"]))

    def states(self) -> dict[str, bytes]:
        with self._held():
            return dict(self._db.execute(SQL["states"]))

    def synchronous(self) -> int:
        """SQLite's setting on the connection that commits; 2 is FULL."""
        with self._held():
            return int(self._db.execute("PRAGMA synchronous").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            self._forgetting.close()
            self._db.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """With the lock; what SQLite says meanwhile is an ``OutboxError``."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise explained(error, self._path) from error

    def _seal(self, packed: Sequence[Packed]) -> list[Row]:
        if self._floor is None:
            (lowest,) = self._db.execute(SQL["first_from"], {"id": Key(self._number, 1).id}).fetchone()
            self._floor = self._next if lowest is None else Key.of(lowest).sequence
        return sealed(packed, epoch=self.epoch, first=Key(self._number, self._next), floor=self._floor)

    def _check_room(self, work: Work) -> None:
        """An alarm may bring along what was read with it, as long as that is little."""
        limit = self._room.limit
        if work.has_alarm:
            limit += limit // ALARM_SHARE
        if self.refuses and not work.only_alarms and self._bytes + work.cost > limit:
            raise OutboxFullError(
                f"the outbox needs {self._bytes + work.cost} bytes, its budget is {limit}: "
                "it waits for the hub, or for a larger outbox.max_bytes"
            )

    def _write(self, work: Work, limit: int) -> Dropping:
        excess = 0 if self.refuses else min(self._bytes + work.cost - limit, work.cost + MOST_DROPPED)
        return write(self._db, work, excess=excess, oldest=self._oldest)

    def _write_on_full_disk(self, work: Work, error: sqlite3.Error) -> Dropping:
        """Try again with ever less held, on the room that the reserve and a shorter log leave."""
        if not is_full(error):
            raise error
        for limit in self._room.tighten(self._bytes, self._free()):
            move_log(self._db)
            if self.refuses and not work.has_alarm and self._bytes + work.cost > limit:
                continue
            try:
                return self._write(work, limit)
            except sqlite3.Error as again:
                if not is_full(again):
                    raise
        raise OutboxFullError(f"the disk under {self._path} is full") from error

    def _note_written(self, work: Work, dropping: Dropping) -> None:
        self._next += len(work.rows)
        self._batches += len(work.rows) - dropping.batches
        self._bytes += work.cost - dropping.bytes
        self._oldest = dropping.oldest
        self._forgetting.logged += work.cost + COMMIT_BYTES
        if dropping.batches:
            self.dropped += dropping.batches
            self._floor = None
        if dropping.untold is not None:
            self._has_losses = dropping.untold

    def _shorten_log(self) -> None:
        """On a full disk a long log takes the room that moving it needs; the commit stands all the same."""
        try:
            if self._room.disk_full:
                move_log(self._db)
        except sqlite3.Error as error:
            log.warning("log not moved into the file", reason=str(error))

    def _owned(self) -> int:
        """Bytes of budget that need no further room on the disk."""
        return self._bytes + self._free()

    def _free(self) -> int:
        return int(self._db.execute(SQL["free_bytes"]).fetchone()[0])
