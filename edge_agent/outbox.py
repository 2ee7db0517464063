"""Batches waiting on disk until the hub's database has them.

What a reading became, its sequence, the source's position and the features' state
are written in one transaction, so a crash at any instant leaves either all of it
or none. A batch goes when a commit mark settles it, or, in a full outbox, by
being less precious than another; the latter is told as a gap.
"""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from edge_agent import outbox_losses
from edge_agent.draft import Draft, loss_draft
from edge_agent.errors import OutboxError, OutboxFullError
from edge_agent.outbox_file import Damage, connect, load_queries, open_file, transaction
from wire.batch import BatchClass
from wire.codec import encode
from wire.messages import EpochFloor, Marks

CLASSES = tuple(BatchClass)
ROW_BYTES = 120  # what a batch costs beside its payload
OLD_EPOCHS = 16  # empty ones that are still told of in a birth
SQL = load_queries("outbox.sql")


class Key(NamedTuple):
    """One batch on this device; keys ascend with age, the oldest first."""

    number: int  # of the epoch, in the order of opening
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queued:
    key: Key
    alarm: bool
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    batches: int
    bytes: int


@dataclass(slots=True, kw_only=True, eq=False)
class _Sealed:
    """A draft with its sequence and bytes."""

    draft: Draft
    sequence: int
    payload: bytes

    @property
    def cost(self) -> int:
        return len(self.payload) + ROW_BYTES


class Outbox:
    """Thread-safe. Every opening is a new epoch; what older epochs hold keeps theirs."""

    def __init__(
        self, path: Path, *, max_bytes: int, refuses: bool, damage: Damage | None, epoch: int
    ) -> None:
        self.epoch = epoch
        self.damage = damage  # what became of a file that was no outbox any more
        self.dropped = 0  # batches, since it was opened
        self._path = path
        self._max_bytes = max_bytes
        self._refuses = refuses
        self._lock = threading.RLock()
        self._db = connect(path, synchronous="FULL")
        # Forgetting needs no sync: what a power cut brings back is sent again, and the hub knows it.
        self._forgetful = connect(path, synchronous="NORMAL")
        self._begin()

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
        try:
            damage = open_file(path)
            return cls(path, max_bytes=max_bytes, refuses=refuses, damage=damage, epoch=draw())
        except sqlite3.Error as error:
            raise OutboxError(f"{path} cannot be opened: {error}") from error

    def commit(
        self,
        drafts: Sequence[Draft],
        *,
        now_us: int,
        positions: Mapping[str, int] | None = None,
        states: Mapping[str, bytes] | None = None,
        tell_losses: bool = False,
    ) -> None:
        """Store all of it or nothing. Alarms are never refused; others raise ``OutboxFullError``."""
        with self._lock:
            gaps = outbox_losses.untold(self._db, now_us) if tell_losses and self._has_losses else []
            sealed = self._seal([*loss_draft(gaps, drafts), *drafts])
            added = sum(item.cost for item in sealed)
            self._check_room(drafts, added)
            try:
                with transaction(self._db):
                    self._write(sealed, positions or {}, states or {})
                    if gaps and drafts:
                        outbox_losses.told(self._db)
                    excess = 0 if self._refuses else self._bytes + added - self._max_bytes
                    freed = outbox_losses.shrink(self._db, excess)
            except sqlite3.Error as error:
                raise self._explain(error) from error
            self._next += len(sealed)
            self._batches += len(sealed) - len(freed)
            self._bytes += added - sum(freed)
            self.dropped += len(freed)
            if freed or gaps:
                self._note_losses()

    def after(self, key: Key, *, limit: int, alarms: bool) -> list[Queued]:
        """The oldest batches behind ``key``: alarms only, or all others only."""
        query = SQL["alarms_after" if alarms else "others_after"]
        with self._lock:
            rows = self._db.execute(query, {"number": key.number, "sequence": key.sequence, "limit": limit})
            return [
                Queued(key=Key(number, sequence), alarm=worth == 0, payload=payload)
                for number, sequence, worth, payload in rows
            ]

    def payload(self, key: Key) -> bytes | None:
        """The bytes first written under ``key``; None where it is settled or dropped."""
        with self._lock:
            row = self._db.execute(SQL["payload"], key._asdict()).fetchone()
        return None if row is None else bytes(row[0])

    def number_of(self, epoch: int) -> int | None:
        """The number of ``epoch`` here; None for one this outbox does not know."""
        with self._lock:
            return self._numbers.get(epoch)

    def forget(self, marks: Iterable[Marks]) -> int:
        """Let go of what the hub has settled, as a union; returns how many batches that were."""
        with self._lock:
            try:
                with transaction(self._forgetful) as db:
                    freed = [self._settle(db, item) for item in marks if item.epoch in self._numbers]
                    if len(self._numbers) > 1:
                        self._retire(db)
            except sqlite3.Error as error:
                raise self._explain(error) from error
            batches = sum(count for count, _ in freed)
            self._batches -= batches
            self._bytes -= sum(size for _, size in freed)
            return batches

    def floors(self) -> tuple[EpochFloor, ...]:
        """Per epoch, the oldest opened first: the lowest sequence held, else the next to be given."""
        with self._lock:
            rows = self._db.execute(SQL["floors"]).fetchall()
        return tuple(
            EpochFloor(epoch=int.from_bytes(epoch), floor=upcoming if floor is None else floor, next=upcoming)
            for epoch, upcoming, floor in rows
        )

    @property
    def has_losses(self) -> bool:
        """Whether something was dropped that no gap has told of."""
        return self._has_losses

    @property
    def newest(self) -> Key:
        """The last batch that was committed, whatever became of it; sequence 0 before the first."""
        return Key(self._number, self._next - 1)

    @property
    def backlog(self) -> Backlog:
        return Backlog(batches=self._batches, bytes=self._bytes)

    def positions(self) -> dict[str, int]:
        with self._lock:
            return dict(self._db.execute(SQL["positions"]))

    def states(self) -> dict[str, bytes]:
        with self._lock:
            return dict(self._db.execute(SQL["states"]))

    def synchronous(self) -> int:
        """SQLite's setting on the connection that commits; 2 is FULL."""
        with self._lock:
            return int(self._db.execute("PRAGMA synchronous").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            self._forgetful.close()
            self._db.close()

    def _begin(self) -> None:
        with transaction(self._db) as db:
            stamp = {"epoch": self.epoch.to_bytes(8)}
            (self._number,) = db.execute(SQL["open_epoch"], stamp).fetchone()
            self._retire(db)
        self._next = 1
        self._batches, self._bytes = self._db.execute(SQL["held"]).fetchone()
        self._note_losses()

    def _retire(self, db: sqlite3.Connection) -> None:
        db.execute(SQL["retire_epochs"], {"current": self._number, "oldest_empty": self._number - OLD_EPOCHS})
        self._numbers = {int.from_bytes(epoch): number for number, epoch in db.execute(SQL["epochs"])}

    def _note_losses(self) -> None:
        self._has_losses = bool(outbox_losses.untold(self._db, 0, most=1))

    def _seal(self, drafts: Sequence[Draft]) -> list[_Sealed]:
        (held,) = self._db.execute(SQL["floor"], {"number": self._number}).fetchone()
        floor = self._next if held is None else held
        sealed = []
        for sequence, draft in enumerate(drafts, self._next):
            payload = encode(draft.batch(epoch=self.epoch, sequence=sequence, floor=floor))
            sealed.append(_Sealed(draft=draft, sequence=sequence, payload=payload))
        return sealed

    def _check_room(self, drafts: Sequence[Draft], added: int) -> None:
        precious = all(draft.batch_class is BatchClass.ALARM for draft in drafts)
        if self._refuses and self._bytes + added > self._max_bytes and not precious:
            raise OutboxFullError(
                f"the outbox needs {self._bytes + added} bytes, its budget is {self._max_bytes}: "
                "it waits for the hub, or for a larger outbox.max_bytes"
            )

    def _write(
        self, sealed: list[_Sealed], positions: Mapping[str, int], states: Mapping[str, bytes]
    ) -> None:
        for item in sealed:
            from_us, to_us = item.draft.span()
            row = {
                "number": self._number,
                "sequence": item.sequence,
                "class": CLASSES.index(item.draft.batch_class),
                "from_us": from_us,
                "to_us": to_us,
                "bytes": item.cost,
                "payload": item.payload,
            }
            self._db.execute(SQL["insert_batch"], row)
        if sealed:
            upcoming = self._next + len(sealed)
            self._db.execute(SQL["set_next"], {"next": upcoming, "number": self._number})
        for source, position in positions.items():
            self._db.execute(SQL["set_position"], {"source": source, "position": position})
        for name, value in states.items():
            self._db.execute(SQL["set_state"], {"name": name, "value": value})

    def _settle(self, db: sqlite3.Connection, marks: Marks) -> tuple[int, int]:
        """Delete what ``marks`` covers; how many batches and bytes that were."""
        number = self._numbers[marks.epoch]
        freed_batches = freed_bytes = 0
        for first, last in ((1, marks.mark), *marks.beyond):
            place = {"number": number, "first": first, "last": last}
            batches, size = db.execute(SQL["range_held"], place).fetchone()
            if batches:
                db.execute(SQL["forget_range"], place)
                freed_batches, freed_bytes = freed_batches + batches, freed_bytes + size
        db.execute(SQL["set_mark"], {"number": number, "mark": marks.mark})
        return freed_batches, freed_bytes

    def _explain(self, error: sqlite3.Error) -> OutboxError:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return OutboxFullError(f"the disk under {self._path} is full")
        return OutboxError(f"{self._path} cannot be written: {error}")
