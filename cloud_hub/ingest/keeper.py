"""Rollups of what came, and partitions grown old: indexed when they have closed, dropped when past keeping.

A thread with a connection of its own: building an index takes as long as it takes.
It rests twice as long as it worked, so that most of the database is left to ingest.
"""

import threading
import time

import psycopg
import structlog

from cloud_hub.config import StoreSettings
from cloud_hub.errors import UnreachableError
from cloud_hub.store import partitions, quarantine, rollups
from cloud_hub.store.database import Connection, Database
from wire.clock import Clock

log = structlog.get_logger()

EVERY_S = 2.0  # what came since is read in full by charts, for BRIN has no summary of it
RESTS = 2.0  # times as long as it worked
EXPIRE_S = 60.0  # between two looks at quarantine


class Keeper:
    def __init__(self, database: Database, store: StoreSettings, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._expired = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End soon; an index that is being built is left to PostgreSQL to undo."""
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        rest = EVERY_S
        while not self._stopping.wait(rest):
            began = time.monotonic()
            try:
                with self._database.connect() as connection:
                    rollups.turn(connection, self._store, self._clock)
                    dropped = partitions.tidy(connection, self._store, self._clock)
                    self._expire(connection)
            except (psycopg.Error, UnreachableError) as error:
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                log.warning("rollups and old partitions have to wait", reason=reason)
            else:
                if dropped:
                    log.info("dropped what is past its retention", partitions=dropped)
            rest = max(EVERY_S, RESTS * (time.monotonic() - began))

    def _expire(self, connection: Connection) -> None:
        """Quarantine is kept for people, and not for ever."""
        if time.monotonic() - self._expired < EXPIRE_S:
            return
        self._expired = time.monotonic()
        if deleted := quarantine.expire(connection, self._store, self._clock.now()):
            log.info("dropped from quarantine what is past its retention", messages=deleted)
