"""What an ingest process says about its work: counts in one line now and then, and what devices have to do.

A device is asked for its birth where a signal table is missing. Where nobody can read which batch a
message is, its device is told the hash of the bytes: it alone can compare them with what it holds.

A flood of poison is one line every few seconds, not one a message.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from cloud_hub.ingest.directives import Publisher
from cloud_hub.ingest.group import Outcome
from wire.messages import UNREADABLE, Command
from wire.topics import Channel, Topic

log = structlog.get_logger()

EVERY_S = 5.0
ASK_S = 2.0  # a device is asked at most so often for one thing
MOST_HASHES = 32  # told to a device at once: it has about as many batches out


class News:
    """Used by one thread."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._rejected: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[str] = Counter()
        self._told = time.monotonic()
        self._asked: dict[tuple[str, str], float] = {}  # by device and kind of command

    def note(self, outcome: Outcome) -> None:
        """Count what a transaction came to, and tell the devices what it takes; it is committed."""
        self._counts.update(groups=1, samples=outcome.samples, again=outcome.again)
        self._rejected.update(outcome.rejected)
        for device in outcome.rebirths:
            self._ask(device, "rebirth", [{}])
        self._tell_unreadable(outcome.unreadable)
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

    def _tell_unreadable(self, messages: Iterable[tuple[str, bytes]]) -> None:
        hashes: defaultdict[str, list[bytes]] = defaultdict(list)
        for device, sha256 in messages:
            hashes[device].append(sha256)
        for device, found in hashes.items():
            self._ask(device, UNREADABLE, [{"sha256": item.hex()} for item in found[:MOST_HASHES]])

    def _ask(self, device: str, kind: str, arguments: Iterable[Mapping[str, Any]]) -> None:
        now = time.monotonic()
        if now - self._asked.get((device, kind), float("-inf")) < ASK_S:
            return
        self._asked[device, kind] = now
        for item in arguments:
            command = Command(kind=kind, id=f"{kind}-{time.time_ns():x}", arguments=item)
            self._publisher.publish(Topic(device, Channel.COMMAND), command.to_json(), qos=1)
