"""Batches from the queue into the store, in groups, acknowledged once they are committed.

A group closes by rows or by time. A batch that the database itself refuses is
found by halving the group, and goes to quarantine alone: whatever one batch does
to us, the others and the next ones go on.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import structlog

from cloud_hub.ingest.attempts import AWAY, StoppedError
from cloud_hub.ingest.consumer import RECEIVE_MAXIMUM, Consumer
from cloud_hub.ingest.desk import Desk
from cloud_hub.ingest.group import Outcome, store_group
from cloud_hub.ingest.reading import Arrival, Reading, channel_of, read
from cloud_hub.store.reasons import Reason
from wire.topics import Channel

log = structlog.get_logger()

GROUP_ROWS = 10_000
GROUP_S = 0.05


class Batches:
    def __init__(self, desk: Desk, consumer: Consumer) -> None:
        self._desk = desk
        self._consumer = consumer

    def collect(self, arrival: Arrival) -> tuple[list[Reading], Arrival | None]:
        """A group that starts with ``arrival``, and the announcement that ended it, if one did."""
        readings = [read(arrival)]
        rows, deadline = readings[0].rows, time.monotonic() + GROUP_S
        while rows < GROUP_ROWS and len(readings) < RECEIVE_MAXIMUM:
            following = self._consumer.take(deadline - time.monotonic())
            if following is None:
                break
            if is_announcement(following):
                return readings, following
            readings.append(read(following))
            rows += readings[-1].rows
        return readings, None

    def store(self, readings: Sequence[Reading]) -> None:
        """Settle and acknowledge ``readings``, then move the marks."""
        try:
            outcome = self._stored(readings)
        except (StoppedError, *AWAY):
            raise
        except Exception as error:  # see the module: one batch must not end the service
            self._halve(readings, error)
        else:
            self._settled(readings, outcome)

    def _stored(self, readings: Sequence[Reading]) -> Outcome:
        desk = self._desk
        return desk.attempts.run(
            lambda connection: store_group(connection, readings, desk.tables, desk.times())
        )

    def _settled(self, readings: Sequence[Reading], outcome: Outcome) -> None:
        self._consumer.acknowledge([reading.arrival for reading in readings])
        self._desk.news.note(outcome)
        self._desk.move_marks(outcome.told)

    def _halve(self, readings: Sequence[Reading], error: Exception) -> None:
        self._desk.ensure_partitions(at_once=True)  # a clock that jumped may have left a time without one
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
        self.store([replace(readings[0], batch=None, reason=Reason.UNSTORABLE, detail=detail)])


def is_announcement(arrival: Arrival) -> bool:
    """Whether it is a birth or a status; everything else is treated as a batch, also when it is none."""
    return channel_of(arrival.topic) in (Channel.BIRTH, Channel.STATUS)
