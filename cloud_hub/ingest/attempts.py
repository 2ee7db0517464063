"""Work in transactions, tried until the database has it: while it is away, everything waits here.

Each trouble is told in one line when it begins and one when it ends. What the
database refuses for the values' sake is not tried again but handed back.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
import structlog

from cloud_hub.errors import UnreachableError
from cloud_hub.store.database import Connection, Database

log = structlog.get_logger()
Result = TypeVar("Result")

SHORTEST_S, LONGEST_S = 0.1, 5.0
AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
# Classes of SQLSTATE that tell of the server and not of the values: no connection, read-only, no right, no
# such table yet, no resources, not ready, shutting down, a broken disk. All others refuse what is stored.
AWAY = frozenset({"08", "25", "28", "3D", "42", "53", "55", "57", "58", "F0"})


def passes(error: Exception) -> bool:
    """Whether the same work may succeed later; if not, it is the values that the database refuses."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, UnreachableError)
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return isinstance(error, AGAIN) or error.sqlstate[:2] in AWAY


class StoppedError(Exception):
    """The process is asked to end while the database is away; what waits is sent again by its devices."""


class Attempts:
    def __init__(self, database: Database, stopping: threading.Event, undone: Callable[[], None]) -> None:
        """``undone`` is called after each transaction that was not committed."""
        self._database = database
        self._stopping = stopping
        self._undone = undone

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """What ``work`` returns, committed; ``StoppedError`` where the process must end before that."""
        wait = 0.0
        while True:
            try:
                with self._database.transaction() as connection:
                    result = work(connection)
            except AGAIN:
                self._undone()
            except BaseException as error:
                self._undone()
                if not (isinstance(error, Exception) and passes(error)):
                    raise
                wait = self._wait(wait, error)
            else:
                if wait:
                    log.info("the database is back")
                return result

    def _wait(self, wait: float, error: Exception) -> float:
        """Wait, and return for how long."""
        if not wait:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            log.warning("the database does not take anything; waiting for it", reason=reason)
        wait = min(max(SHORTEST_S, wait * 2), LONGEST_S)
        if self._stopping.wait(wait):
            raise StoppedError
        return wait
