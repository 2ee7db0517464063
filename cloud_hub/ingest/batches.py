"""Batches into the store, a group a transaction, acknowledged once they are committed.

A batch that the database itself refuses is found by halving the group, tried once
more, and goes to quarantine alone: whatever one batch does to us, the others and
the next ones go on.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import structlog

from cloud_hub.ingest.attempts import StoppedError
from cloud_hub.ingest.consumer import Consumer
from cloud_hub.ingest.desk import Desk
from cloud_hub.ingest.group import Outcome, store_group
from cloud_hub.ingest.reading import Reading
from cloud_hub.store.reasons import Reason

log = structlog.get_logger()


class Batches:
    def __init__(self, desk: Desk, consumer: Consumer) -> None:
        self._desk = desk
        self._consumer = consumer

    def store(self, readings: Sequence[Reading]) -> None:
        """Settle and acknowledge ``readings``; their marks are owed then."""
        self._store(readings, again=len(readings) == 1)

    def _store(self, readings: Sequence[Reading], *, again: bool = False) -> None:
        """``again``: before what is alone counts as refused, it is tried once more."""
        try:
            outcome = self._stored(readings)
        except StoppedError:
            raise
        except Exception as error:  # see the module: one batch must not end the service
            self._desk.ensure_partitions(at_once=True)  # a clock that jumped may have left a time without one
            if again:
                self._store(readings)
            else:
                self._halve(readings, error)
        else:
            self._settled(readings, outcome)

    def _stored(self, readings: Sequence[Reading]) -> Outcome:
        desk, began = self._desk, time.monotonic()
        outcome = desk.attempts.run(
            lambda connection: store_group(connection, readings, desk.tables, desk.times())
        )
        desk.metrics.note(outcome, batches=len(readings), seconds=time.monotonic() - began)
        return outcome

    def _settled(self, readings: Sequence[Reading], outcome: Outcome) -> None:
        self._consumer.acknowledge([reading.arrival for reading in readings])
        self._desk.news.note(outcome)
        self._desk.owe_marks(outcome.told)

    def _halve(self, readings: Sequence[Reading], error: Exception) -> None:
        if len(readings) > 1:
            middle = len(readings) // 2
            self.store(readings[:middle])
            self.store(readings[middle:])
            return
        detail = f"{type(error).__name__}: {error}".strip()
        if readings[0].reason == Reason.UNSTORABLE:
            log.error("not even quarantine takes a batch", device=readings[0].device, reason=detail)
            self._consumer.acknowledge([readings[0].arrival])
            return
        log.warning("a batch cannot be stored", device=readings[0].device, reason=detail)
        self._store([replace(readings[0], batch=None, reason=Reason.UNSTORABLE, detail=detail)])
