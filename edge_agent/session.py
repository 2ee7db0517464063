"""One connected stretch of the uplink: birth and status first, then batches out and the hub's words in.

It joins three that know nothing of each other: ``flight`` says which batch goes
when, ``outbox`` has it on disk, ``connection`` carries it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog

from edge_agent.connection import Connection, Heard, Item, LinkError, Lost, Received
from edge_agent.flight import Flight
from edge_agent.outbox import Key, Outbox
from wire.errors import MessageError, TopicError
from wire.messages import Command, Marks, Status
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
    refused: int = 0  # messages of the hub that made no sense, and ours that the broker refused
    last_refusal: str = ""


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
    ) -> None:
        self._connection = connection
        self._inbox = inbox
        self._flight = flight
        self._outbox = outbox
        self._listener = listener
        self._state = state
        self._on_the_way: dict[int, Key] = {}  # batches by message number
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
        for payload in older:
            self._connection.publish(Channel.BIRTH, payload)
        self._connection.publish(Channel.BIRTH, current, retain=True)

    def turn(self) -> None:
        """Send what may go, then hear what came; at most a second."""
        if self._birth_wanted:
            self.say_birth()
        self._send_new()
        self._send_overdue()
        self._hear_all(self._patience())

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
        for alarms in (True, False):
            room = self._flight.room(alarms=alarms)
            cursor = self._flight.alarm_cursor if alarms else self._flight.cursor
            for queued in self._outbox.after(cursor, limit=room, alarms=alarms) if room else ():
                self._send(queued.key, queued.payload)
                self._flight.sent(queued.key, time.monotonic(), alarm=alarms)

    def _send_overdue(self) -> None:
        while (key := self._flight.due(time.monotonic())) is not None:
            payload = self._outbox.payload(key)
            if payload is None:
                self._flight.gone(key)
            else:
                self._send(key, payload)
                self._flight.sent_again(key, time.monotonic())

    def _send(self, key: Key, payload: bytes) -> None:
        self._on_the_way[self._connection.publish(Channel.BATCH, payload)] = key
        self._state.sent += 1

    def _patience(self) -> float:
        due = self._flight.next_due()
        return IDLE_S if due is None else min(IDLE_S, max(0.0, due - time.monotonic()))

    def _hear_all(self, timeout_s: float) -> None:
        """Wait for one item, then take all that are there; marks reach the disk together."""
        marks: list[Marks] = []
        item = hear(self._inbox, timeout_s)
        while item is not None:
            match item:
                case Lost(reason):
                    raise LinkError(reason)
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
        key = self._on_the_way.pop(mid, None)
        if refusal:
            self._refuse(f"the broker refused a message: {refusal}")
        elif key is not None:
            self._flight.received(key)

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
            self._flight.settled(number, marks.mark, marks.beyond)
        return marks

    def _obey(self, command: Command) -> None:
        if command.kind == "rebirth":
            self._birth_wanted = self._tables_wanted = True
        else:
            self._listener.command(command)

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
