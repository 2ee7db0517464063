"""What samples need once stored: found quickly, rolled up, indexed when their time has closed, dropped.

Three chores, each in a thread with a connection of its own, so that none waits for another: building
an index takes as long as it takes, and charts should not read in full what came meanwhile.

- *Summaries* lead a chart past what it does not need; without them it reads all that is new. Their
  pace follows what comes: often while much is written, every two seconds while little is.
- *Rollups* make minutes and hours of what has come: the sooner again the more there was.
- *Tidying* indexes partitions that have closed and drops what is past its retention; nobody waits
  for that, so it rests three times as long as it worked.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog

from cloud_hub.config import StoreSettings
from cloud_hub.errors import UnreachableError
from cloud_hub.store import partitions, quarantine, rollups
from cloud_hub.store.database import Connection, Database
from wire.clock import Clock

log = structlog.get_logger()

EVERY_S = 2.0
OFTEN_S = 0.2
MUCH_S = 0.2  # whose rollups took that long, is soon due again
MOST_NEW = 200  # ranges of pages (32 KiB each): charts read so much more than they need to without a delay
EXPIRE_S = 60.0  # between two looks at quarantine
STOP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    name: str
    turn: Callable[[Connection], float]  # returns after how many seconds it is due again
    rests: float  # at least so many times as long as the turn took


def rest_for(ranges: int, passed_s: float) -> float:
    """Seconds until about ``MOST_NEW`` ranges are new, where ``ranges`` were after ``passed_s``."""
    return min(EVERY_S, max(OFTEN_S, passed_s * MOST_NEW / max(1, ranges)))


class Keeper:
    def __init__(self, database: Database, store: StoreSettings, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._summarised = time.monotonic()
        self._told: dict[int, int] = {}
        self._expired = float("-inf")
        self._stopping = threading.Event()
        chores = (
            Chore(name="summaries", turn=self._summarise, rests=1.0),
            Chore(name="rollups", turn=self._roll_up, rests=1.25),
            Chore(name="tidying", turn=self._tidy, rests=3.0),
        )
        self._threads = [
            threading.Thread(target=self._run, args=(chore,), name=f"keeper: {chore.name}", daemon=True)
            for chore in chores
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End soon; an index that is being built is left to PostgreSQL to finish or undo."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, chore: Chore) -> None:
        """Turn after turn; after trouble with a connection of its own again."""
        while not self._stopping.wait(OFTEN_S):
            try:
                with self._database.connect() as connection:
                    self._turns(connection, chore)
            except (psycopg.Error, UnreachableError) as error:
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                log.warning("what samples need has to wait", chore=chore.name, reason=reason)
                self._stopping.wait(EVERY_S)

    def _turns(self, connection: Connection, chore: Chore) -> None:
        rest = 0.0
        while not self._stopping.wait(rest):
            began = time.monotonic()
            due = chore.turn(connection)
            rest = max(due, chore.rests * (time.monotonic() - began))

    def _summarise(self, connection: Connection) -> float:
        ranges = partitions.summarise(connection, self._told)
        before, self._summarised = self._summarised, time.monotonic()
        return rest_for(ranges, self._summarised - before)

    def _roll_up(self, connection: Connection) -> float:
        began = time.monotonic()
        rollups.turn(connection, self._store, self._clock)
        return MUCH_S if time.monotonic() - began > MUCH_S else EVERY_S

    def _tidy(self, connection: Connection) -> float:
        if dropped := partitions.tidy(connection, self._store, self._clock):
            log.info("dropped what is past its retention", partitions=dropped)
        self._expire(connection)
        return EVERY_S

    def _expire(self, connection: Connection) -> None:
        """Quarantine is kept for people, and not for ever."""
        if time.monotonic() - self._expired < EXPIRE_S:
            return
        self._expired = time.monotonic()
        if deleted := quarantine.expire(connection, self._store, self._clock.now()):
            log.info("dropped from quarantine what is past its retention", messages=deleted)
