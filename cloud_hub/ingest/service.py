"""The life of an ingest process: messages in the order they came, until it is told to end.

Three threads share the work: the consumer's takes bytes from the network, the
collector's decodes, and this one alone speaks with the database.

While the database is away everything waits and nothing is acknowledged; the
broker then holds back what comes after.
"""

import time

import structlog

from cloud_hub.config import StoreSettings
from cloud_hub.ingest import directives, replays
from cloud_hub.ingest.announcements import Announcements
from cloud_hub.ingest.attempts import StoppedError
from cloud_hub.ingest.batches import Batches
from cloud_hub.ingest.collector import Collector, Group
from cloud_hub.ingest.consumer import Consumer
from cloud_hub.ingest.desk import Desk
from cloud_hub.ingest.metrics import Metrics
from cloud_hub.store.database import Database
from wire.clock import Clock

log = structlog.get_logger()

IDLE_S = 0.2
REPLAY_S = 0.2  # at once, out of quarantine


class Service:
    """One thread's work; ``stop`` may be called from any."""

    def __init__(self, database: Database, consumer: Consumer, store: StoreSettings, clock: Clock) -> None:
        self._desk = Desk(database, consumer, store, clock)
        self._consumer = consumer
        self._desk.metrics.watch(lambda: consumer.held_bytes, lambda: consumer.let_go)
        self._collector = Collector(consumer.take)
        self._batches = Batches(self._desk, consumer)
        self._announcements = Announcements(self._desk, consumer)
        self._listener = directives.Listener(database, consumer)

    @property
    def metrics(self) -> Metrics:
        return self._desk.metrics

    def stop(self) -> None:
        """Finish the transaction in hand, then end."""
        self._desk.stopping.set()

    def run(self) -> None:
        """Serve until ``stop``."""
        try:
            self._desk.ensure_partitions()
            self._consumer.start()
            self._collector.start()
            self._listener.start()
            while not self._desk.stopping.is_set():
                self._turn()
            self._desk.pay_marks(at_once=True, patient=True)
        except StoppedError:
            log.warning("ended while the database was away; what waited will be sent again")
        finally:
            self._listener.stop()
            self._collector.stop()
            self._consumer.stop()

    def _turn(self) -> None:
        self._desk.ensure_partitions()
        if self._listener.replay_wanted.is_set():
            self._replay()
        work = self._collector.next(0.0)
        self._desk.pay_marks(at_once=work is None)
        if work is None:
            self._desk.news.tell()
            work = self._collector.next(IDLE_S)
        if isinstance(work, Group):
            self._batches.store(work.readings)
        elif work is not None:
            self._announcements.take(work.arrivals)

    def _replay(self) -> None:
        """Try again some of what someone asked to try again, and go on with what comes meanwhile."""
        desk, ends = self._desk, time.monotonic() + REPLAY_S
        while time.monotonic() < ends and not desk.stopping.is_set():
            self._listener.replay_wanted.clear()
            replayed = desk.attempts.run(
                lambda connection: replays.replay_next(connection, desk.tables, desk.times())
            )
            desk.move_marks(replayed.told)
            if not replayed.rows:
                return
            self._listener.replay_wanted.set()
