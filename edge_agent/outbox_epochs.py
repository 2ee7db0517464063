"""The epochs of an outbox: one for each opening, kept while anything of it may still be asked for.

An epoch that the hub may take for the current one has to be named in every birth until
the hub knows a later one: else the hub would tell of an outbox that was lost. However
often an agent starts without reaching the hub, that one stays.
"""

import sqlite3
from collections.abc import Iterable

from edge_agent.outbox_file import load_queries, transaction
from edge_agent.outbox_keys import Key
from edge_agent.outbox_room import is_full
from wire.messages import MOST_EPOCHS, EpochFloor, Marks

OLD_EPOCHS = 64  # openings after which an empty one is not told of any more, if the hub never spoke of it
SQL = load_queries("outbox.sql")


class Epochs:
    """Not thread-safe. ``numbers`` are in the order of opening, this one's is the highest."""

    def __init__(self, db: sqlite3.Connection, epoch: int) -> None:
        self._db = db
        with transaction(db):
            (self.number,) = db.execute(SQL["open_epoch"], {"epoch": epoch.to_bytes(8)}).fetchone()
        self.numbers: dict[int, int] = {}
        self._ends: dict[int, int] = {}  # of the old ones: the first sequence that none was given
        self._unheard = self.number - 1  # the last one stays until the hub has said how much it knows of it
        self._introduced = False
        self.retire()

    def retire(self) -> None:
        """Let old epochs go that nobody will ask for; a full disk puts it off."""
        place = {"current": self.number, "unheard": self._unheard, "oldest_empty": self.number - OLD_EPOCHS}
        self._write("retire_epochs", place)
        rows = [
            (number, int.from_bytes(epoch), end) for number, epoch, end in self._db.execute(SQL["epochs"])
        ]
        self.numbers = {epoch: number for number, epoch, _ in rows}
        self._ends = {epoch: end for number, epoch, end in rows if number != self.number}

    @property
    def alone(self) -> bool:
        """Whether no older one is known."""
        return not self._ends

    def introduce(self) -> None:
        """The hub is about to be told of this epoch."""
        if not self._introduced:
            self._introduced = self._write("introduce", {"number": self.number})

    def hear(self, marks: Iterable[Marks]) -> bool:
        """Whether the hub has settled sequences of an old epoch that were never given out here."""
        outdated = False
        for item in marks:
            if item.epoch in self._ends:
                last = max(item.mark, *(end for _, end in item.beyond), 0)
                outdated |= last >= self._ends[item.epoch]
                self._unheard = 0 if self.numbers[item.epoch] == self._unheard else self._unheard
        return outdated

    def floors(self) -> tuple[EpochFloor, ...]:
        """The oldest opened first: the lowest sequence held, else the next to be given."""
        place = {"current": self.number, "most": MOST_EPOCHS}
        return tuple(
            EpochFloor(
                epoch=int.from_bytes(epoch),
                floor=upcoming if lowest is None else Key.of(lowest).sequence,
                next=upcoming,
            )
            for epoch, upcoming, lowest in self._db.execute(SQL["floors"], place)
        )

    def _write(self, query: str, place: dict[str, int]) -> bool:
        """Whether the disk had room for it."""
        try:
            with transaction(self._db):
                self._db.execute(SQL[query], place)
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            return False
        return True
