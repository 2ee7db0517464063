"""How much the outbox may hold: its budget, and less while the disk is really full.

A disk can be full before the budget is used, by anything else that writes to it.
A file put by beforehand is then given up, which lets the log move into the
database and alarms be written; from there on new batches live on pages that old
ones leave. When the disk has room for the reserve again, the budget counts again.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from edge_agent.errors import OutboxError, OutboxFullError

RESERVE_BYTES = 8 << 20  # what the log may hold, and a quarter for what comes then
RETRY_S = 1.0  # between two attempts to put the reserve by again
TAIL = "-reserve"
NO_SPACE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,  # a quota, or a limit on the size of files
    sqlite3.SQLITE_IOERR_SHMSIZE,
)

log = structlog.get_logger()


def is_full(error: sqlite3.Error) -> bool:
    """Whether it was for want of space; a disk that fails to write looks the same."""
    return getattr(error, "sqlite_errorcode", None) in NO_SPACE


def explained(error: sqlite3.Error, path: Path) -> OutboxError:
    """What to tell of an error that the file at ``path`` gave."""
    if is_full(error):
        return OutboxFullError(f"the disk under {path} is full")
    return OutboxError(f"{path} cannot be written: {error}")


class Room:
    """Not thread-safe. Sizes are bytes as the budget counts them."""

    def __init__(
        self, path: Path, *, max_bytes: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._reserve = path.with_name(path.name + TAIL)
        self._max_bytes = max_bytes
        self._ceiling: int | None = None  # while the disk is full
        self._monotonic = monotonic
        self._tried = monotonic()

    @property
    def limit(self) -> int:
        return self._max_bytes if self._ceiling is None else min(self._max_bytes, self._ceiling)

    @property
    def disk_full(self) -> bool:
        return self._ceiling is not None

    def begin(self) -> None:
        """Put the reserve by; where that fails the first full disk is met without one."""
        self._put_by()

    def relax(self, owned: Callable[[], int]) -> None:
        """Go back to the budget if the disk has room, else to what it owns; tried once a second."""
        if self._ceiling is None or self._monotonic() - self._tried < RETRY_S:
            return
        self._tried = self._monotonic()
        if self._put_by():
            log.warning("disk has room again")
            self._ceiling = None
        else:
            self._ceiling = max(self._ceiling, owned())

    def tighten(self, held: int, free: int) -> Iterator[int]:
        """The limits to try in turn after the disk was found full; ``free``: pages to be used again."""
        if self._ceiling is None:
            log.warning("disk full", held=held)
        self._tried = self._monotonic()
        if self.release():
            yield self._lower(held + free + RESERVE_BYTES // 4)
        for limit in (held + free // 2, held, held - held // 8):
            yield self._lower(limit)
        self._ceiling = held + free  # whatever it was that could not be written, it was not for holding less

    def release(self) -> bool:
        """Give the reserve up; whether there was one."""
        if not self._reserve.exists():
            return False
        self._reserve.unlink()
        return True

    def give_up(self, held: int, free: int) -> bool:
        """``release`` on a disk that was found full; as after ``tighten``, room is looked for again."""
        if not self.release():
            return False
        self._lower(held + free)
        return True

    def _lower(self, limit: int) -> int:
        self._ceiling = limit if self._ceiling is None else min(self._ceiling, limit)
        return self.limit

    def _put_by(self) -> bool:
        try:
            with self._reserve.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            self._reserve.unlink(missing_ok=True)
            return False
        return True
