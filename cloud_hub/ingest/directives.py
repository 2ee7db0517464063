"""What the hub wishes of its devices goes out: signed directives and commands, when they are written.

The database is the truth. A directive is published when it is written, when a
device's birth shows that it has not accepted it, and all that wait whenever this
process comes to listen again: what it may have missed meanwhile.
"""

import json
import threading
from typing import Protocol

import psycopg
import structlog

from cloud_hub.errors import UnreachableError
from cloud_hub.store.database import Connection, Database, load_queries
from wire.errors import MessageError, TopicError
from wire.messages import Command
from wire.topics import Channel, Topic

log = structlog.get_logger()

QUERIES = load_queries("cloud_hub.ingest", "directives.sql")
DIRECTIVE, COMMAND, REPLAY = "andon_directive", "andon_command", "andon_replay"
_RETRY_S = 2.0
_POLL_S = 0.5


class Publisher(Protocol):
    """What carries messages to devices; callable from any thread."""

    def publish(self, topic: Topic, payload: bytes, *, qos: int) -> None: ...


def publish_pending(connection: Connection, publisher: Publisher, device: str | None = None) -> int:
    """Publish what ``device``, or every device, has not accepted; returns how many directives."""
    rows = connection.execute(QUERIES["pending"], {"device": device}).fetchall()
    for row in rows:
        topic = Topic(row["name"], Channel.DIRECTIVE, row["use_case"])
        publisher.publish(topic, bytes(row["signed"]), qos=1)
    return len(rows)


class Listener:
    """A thread that hears what other parts of the hub write, on a connection of its own."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._stopping = threading.Event()
        self.replay_wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._database.connect() as connection:
                    self._listen(connection)
            except (psycopg.Error, UnreachableError):
                self._stopping.wait(_RETRY_S)  # the storing thread tells about it

    def _listen(self, connection: Connection) -> None:
        for channel in (DIRECTIVE, COMMAND, REPLAY):
            connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        publish_pending(connection, self._publisher)
        self.replay_wanted.set()
        while not self._stopping.is_set():
            for notice in [*connection.notifies(timeout=_POLL_S)]:
                self._act(connection, notice.channel, notice.payload)

    def _act(self, connection: Connection, channel: str, payload: str) -> None:
        if channel == DIRECTIVE:
            publish_pending(connection, self._publisher, payload)
        elif channel == REPLAY:
            self.replay_wanted.set()
        else:
            self._command(payload)

    def _command(self, payload: str) -> None:
        try:
            fields = json.loads(payload)
            command = Command.from_json(json.dumps(fields["command"]).encode())
            self._publisher.publish(Topic(fields["device"], Channel.COMMAND), command.to_json(), qos=1)
        except (ValueError, KeyError, TypeError, MessageError, TopicError) as error:
            log.warning("a command cannot be sent", error=str(error))
