"""One connected stretch of the uplink: birth and status first, then batches out and the hub's words in.

It joins three that know nothing of each other: ``flight`` says which batch goes
when, ``outbox`` has it on disk, ``connection`` carries it.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog

from edge_agent.connection import Connection, Heard, Item, LinkError, Lost, Received
from edge_agent.flight import Flight
from edge_agent.outbox import Key, Outbox, Queued
from edge_agent.pace import Budget
from wire.errors import MessageError, TopicError
from wire.messages import UNREADABLE, Command, Marks, Status
from wire.topics import Channel, Topic

log = structlog.get_logger()

FAREWELL_S = 1.0
IDLE_S = 1.0


class Listener(Protocol):
    """Who answers for the device; called in the uplink's thread, so each returns at once."""

    def births(self, *, every_table: bool) -> Sequence[bytes]:
        """The births to publish, the retained one last; with ``every_table`` also those of older tables."""

    def directive(self, use_case: str, payload: bytes) -> None: ...

    def command(self, command: Command) -> None: ...


@dataclass(slots=True, kw_only=True)
class LinkState:
    """What the status file says of the link; written by the uplink's thread, read by any."""

    connected: bool = False
    since_us: int = 0
    reason: str = "not connected yet"
    connections: int = 0
    sent: int = 0
    marks: int = 0
    held_s: float = 0.0  # while only the bandwidth budget held something back
    takeovers: int = 0  # connections that another client with this device's name ended
    refused: int = 0  # messages of the hub that made no sense, and ours that the broker refused
    last_refusal: str = ""


@dataclass(frozen=True, slots=True)
class _Sending:
    key: Key
    size: int
    since: float


class Session:
    """Used by one thread, for one connection. ``LinkError`` ends it."""

    def __init__(
        self,
        *,
        connection: Connection,
        inbox: "SimpleQueue[Item]",
        flight: Flight,
        outbox: Outbox,
        listener: Listener,
        state: LinkState,
        budget: Budget,
        most_bytes: int,
    ) -> None:
        """``most_bytes``: the largest payload that the broker takes."""
        self._connection = connection
        self._inbox = inbox
        self._flight = flight
        self._outbox = outbox
        self._listener = listener
        self._state = state
        self._budget = budget
        self._most_bytes = most_bytes
        self._on_the_way: dict[int, _Sending] = {}  # batches by message number
        self._status = 0  # the message number of the last status
        self._birth_wanted = False
        self._tables_wanted = False

    def begin(self, status: Status) -> None:
        """Listen first, so that no answer to the birth is missed."""
        self._connection.subscribe()
        self.say_birth()
        self._say_status(status)

    def say_birth(self) -> None:
        *older, current = self._listener.births(every_table=self._tables_wanted)
        self._birth_wanted = self._tables_wanted = False
        for payload in (*older, current):
            self._connection.publish(Channel.BIRTH, payload, retain=payload is current)
            self._budget.spend(len(payload), time.monotonic(), alarm=False)

    def turn(self) -> None:
        """Send what may go, then hear what came; at most a second."""
        if self._birth_wanted:
            self.say_birth()
        self._send_overdue()
        self._send_new()
        now = time.monotonic()
        self._hear_all(self._patience(now))
        if self._flight.held_s:
            self._state.held_s += time.monotonic() - now

    def end(self, status: Status) -> None:
        """Send what still may go, say ``status``, and wait a moment until the broker has it."""
        self._send_new()
        self._say_status(status)
        deadline = time.monotonic() + FAREWELL_S
        while self._status and (left := deadline - time.monotonic()) > 0:
            self._hear_all(left)

    def _say_status(self, status: Status) -> None:
        self._status = self._connection.publish(Channel.STATUS, status.to_json(), retain=True)

    def _send_new(self) -> None:
        newest = self._outbox.newest
        while (lane := self._flight.next(time.monotonic(), newest)) is not None:
            found = self._outbox.after(self._flight.cursor(lane), limit=1, alarms=lane.alarms)
            key, raw = (found[0].key, found[0].raw) if found else (None, False)
            if self._flight.found(lane, key, newest, raw=raw) and self._fits(found[0]):
                self._send(found[0].key, found[0].payload)
                self._flight.sent(found[0].key, lane, len(found[0].payload), time.monotonic())

    def _fits(self, queued: Queued) -> bool:
        """A packet that is too large would end this connection and every one after it: it stays here."""
        if len(queued.payload) > self._most_bytes:
            size = len(queued.payload)
            self._refuse(f"a batch has {size} bytes, the broker takes {self._most_bytes}: raise its limit")
        return len(queued.payload) <= self._most_bytes

    def _send_overdue(self) -> None:
        while (key := self._flight.due(time.monotonic())) is not None:
            payload = self._outbox.payload(key)
            if payload is None:
                self._flight.gone(key)
            else:
                self._send(key, payload)
                self._flight.sent_again(key, time.monotonic())

    def _send(self, key: Key, payload: bytes) -> None:
        sending = _Sending(key, len(payload), time.monotonic())
        self._on_the_way[self._connection.publish(Channel.BATCH, payload)] = sending
        self._state.sent += 1

    def _patience(self, now: float) -> float:
        due = self._flight.next_due(now)
        wait = IDLE_S if due is None else min(IDLE_S, max(0.0, due - now))
        return min(wait, self._flight.held_s) if self._flight.held_s else wait

    def _hear_all(self, timeout_s: float) -> None:
        """Wait for one item, then take all that are there; marks reach the disk together."""
        marks: list[Marks] = []
        item = hear(self._inbox, timeout_s)
        while item is not None:
            match item:
                case Lost(reason, taken_over):
                    raise LinkError(reason, taken_over=taken_over)
                case Received(mid, refusal):
                    self._take_receipt(mid, refusal)
                case Heard(topic, payload):
                    self._take(topic, payload, marks)
            item = None if self._inbox.empty() else hear(self._inbox, 0)
        if marks:
            self._outbox.forget(marks)

    def _take_receipt(self, mid: int, refusal: str) -> None:
        if mid == self._status:
            self._status = 0
        sending = self._on_the_way.pop(mid, None)
        if refusal:
            self._refuse(f"the broker refused a message: {refusal}")
        if sending is not None:
            took = time.monotonic() - sending.since
            self._flight.answered(sending.key, sending.size, took, received=not refusal)

    def _take(self, topic_text: str, payload: bytes, marks: list[Marks]) -> None:
        try:
            topic = Topic.parse(topic_text)
            if topic.channel is Channel.COMMITTED:
                marks.append(self._settle(Marks.from_json(payload)))
            elif topic.channel is Channel.DIRECTIVE and topic.use_case:
                self._listener.directive(topic.use_case, payload)
            elif topic.channel is Channel.COMMAND:
                self._obey(Command.from_json(payload))
        except (TopicError, MessageError) as error:
            self._refuse(f"{topic_text}: {error}")

    def _settle(self, marks: Marks) -> Marks:
        self._state.marks += 1
        number = self._outbox.number_of(marks.epoch)
        if number is not None:
            self._flight.settled(number, marks.mark, marks.beyond, time.monotonic())
        return marks

    def _obey(self, command: Command) -> None:
        if command.kind == "rebirth":
            self._birth_wanted = self._tables_wanted = True
        elif command.kind == UNREADABLE:
            self._give_up(str(command.arguments.get("sha256", "")))
        else:
            self._listener.command(command)

    def _give_up(self, sha256: str) -> None:
        """The hub keeps these bytes and cannot tell which batch they are: it is one that is out, if any."""
        for key in self._flight.keys:
            payload = self._outbox.payload(key)
            if payload is None or hashlib.sha256(payload).hexdigest() != sha256:
                continue
            if self._outbox.lose(key, UNREADABLE):
                log.warning("the hub cannot read a batch", sequence=key.sequence, sha256=sha256)
                self._flight.gone(key)
            return

    def _refuse(self, reason: str) -> None:
        self._state.refused += 1
        self._state.last_refusal = reason
        log.warning("refused", reason=reason)


def hear(inbox: "SimpleQueue[Item]", timeout_s: float) -> Item | None:
    """The next item, or None where none comes in time."""
    try:
        return inbox.get(timeout=timeout_s) if timeout_s > 0 else inbox.get_nowait()
    except Empty:
        return None
