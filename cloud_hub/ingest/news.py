"""What an ingest process says about its work: counts in one line now and then, and births asked for again.

A flood of poison is one line every few seconds, not one a message.
"""

import time
from collections import Counter
from collections.abc import Iterable

import structlog

from cloud_hub.ingest.directives import Publisher
from cloud_hub.ingest.group import Outcome
from wire.messages import Command
from wire.topics import Channel, Topic

log = structlog.get_logger()

EVERY_S = 5.0
REBIRTH_S = 2.0  # a device is asked at most so often


class News:
    """Used by one thread."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._rejected: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[str] = Counter()
        self._told = time.monotonic()
        self._asked: dict[str, float] = {}

    def note(self, outcome: Outcome) -> None:
        """Count what a transaction came to, and ask for the signal tables it lacked."""
        self._counts.update(groups=1, samples=outcome.samples, again=outcome.again)
        self._rejected.update(outcome.rejected)
        self._ask_births(outcome.rebirths)
        self.tell()

    def tell(self) -> None:
        """Say what there is to say, if it is time."""
        if time.monotonic() - self._told < EVERY_S:
            return
        self._told = time.monotonic()
        if self._counts:
            log.info("stored", **self._counts)
        for (device, reason), count in self._rejected.items():
            log.warning("rejected", device=device, reason=reason, count=count)
        self._counts.clear()
        self._rejected.clear()

    def _ask_births(self, devices: Iterable[str]) -> None:
        now = time.monotonic()
        for device in devices:
            if now - self._asked.get(device, float("-inf")) >= REBIRTH_S:
                self._asked[device] = now
                command = Command(kind="rebirth", id=f"table-{time.time_ns():x}")
                self._publisher.publish(Topic(device, Channel.COMMAND), command.to_json(), qos=1)
