"""What the parts of one ingest process share: the database, the tables it has met, time and marks."""

import threading
import time
from collections.abc import Container, Mapping

from cloud_hub.config import StoreSettings
from cloud_hub.ingest.attempts import Attempts
from cloud_hub.ingest.directives import Publisher
from cloud_hub.ingest.group import Times
from cloud_hub.ingest.ledger import Stream
from cloud_hub.ingest.metrics import Metrics
from cloud_hub.ingest.news import News
from cloud_hub.ingest.settling import Told, settle
from cloud_hub.ingest.tables import Tables
from cloud_hub.store import partitions
from cloud_hub.store.database import Database
from wire.clock import Clock
from wire.topics import Channel, Topic

ENSURE_S = 1.0
MARKS_S = 0.1  # while batches keep coming, marks wait so long for each other
TRIES = 5  # for marks that another process holds, before they are waited for
AHEAD_US = 5 * 60 * 1_000_000  # how far a device's clock may be ahead of ours


class Desk:
    """Used by one thread; ``stopping`` may be set by any."""

    def __init__(self, database: Database, publisher: Publisher, store: StoreSettings, clock: Clock) -> None:
        self.tables = Tables()
        self.stopping = threading.Event()
        self.attempts = Attempts(database, self.stopping, self.tables.forget)
        self.news = News(publisher)
        self.metrics = Metrics()
        self.clock = clock
        self._publisher = publisher
        self._store = store
        self._covered_us = 0
        self._ensured = float("-inf")
        self._owed: dict[Stream, Told] = {}
        self._owed_since = float("inf")
        self._tries = 0

    def ensure_partitions(self, *, at_once: bool = False) -> None:
        """Keep partitions ahead of the clock; looks about once a second."""
        if at_once or time.monotonic() - self._ensured >= ENSURE_S:
            _, self._covered_us = self.attempts.run(
                lambda connection: partitions.ensure(connection, self._store, self.clock)
            )
            self._ensured = time.monotonic()

    def times(self) -> Times:
        """Now, and which times are accepted now: none without its partition."""
        now = self.clock.now_us()
        horizon = round(self._store.late_horizon_days * partitions.DAY_US)
        latest = min(now + AHEAD_US, self._covered_us - 1)
        return Times(now_us=now, earliest_us=now - horizon, latest_us=latest)

    def move_marks(
        self, told: Mapping[Stream, Told], *, tell: Container[Stream] | None = None, patient: bool = True
    ) -> set[Stream]:
        """Move the marks of these epochs and tell their devices; of epochs beside ``tell``, nobody.

        Returns which were moved; unless ``patient``, none that another process holds.
        """
        now = self.clock.now()
        moved = self.attempts.run(lambda connection: settle(connection, told, now, patient=patient))
        for settled in moved:
            if tell is not None and settled.stream not in tell:
                continue
            topic = Topic(settled.device, Channel.COMMITTED)
            self._publisher.publish(topic, settled.marks.to_json(), qos=0)
        return {settled.stream for settled in moved}

    def owe_marks(self, told: Mapping[Stream, Told]) -> None:
        """Remember what was committed, for ``pay_marks``; lost with the process, it is told again."""
        if told and not self._owed:
            self._owed_since = time.monotonic()
        for stream, said in told.items():
            known = self._owed.get(stream)
            self._owed[stream] = said if known is None else known.joined(said)

    def pay_marks(self, *, at_once: bool, patient: bool = False) -> None:
        """Move the marks that are owed: now, or if it is time.

        A process holds the marks of what it stores until it has committed. To wait for that each time would
        make two processes take turns, so what another holds is left for the next time; not for ever.
        """
        if not self._owed or not (at_once or time.monotonic() - self._owed_since >= MARKS_S):
            return
        patient = patient or self._tries >= TRIES
        paid = self.move_marks(self._owed, patient=patient)
        self._owed = {} if patient else {key: self._owed[key] for key in self._owed.keys() - paid}
        self._tries = self._tries + 1 if self._owed else 0
        self._owed_since = time.monotonic()
