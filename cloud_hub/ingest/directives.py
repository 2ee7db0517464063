"""What the hub wishes of its devices goes out: signed directives and commands, when they are written.

The database is the truth. A directive is published when it is written, when a
device's birth shows that it has not accepted it, and all that wait whenever this
process comes to listen again: what it may have missed meanwhile.
"""

import json
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

import psycopg
import structlog
from psycopg import Notify

from cloud_hub.errors import UnreachableError
from cloud_hub.store.database import Connection, Database, load_queries
from wire.errors import MessageError, TopicError
from wire.messages import Command
from wire.topics import Channel, Topic

log = structlog.get_logger()

QUERIES = load_queries("cloud_hub.ingest", "directives.sql")
DIRECTIVE, COMMAND, REPLAY = "andon_directive", "andon_command", "andon_replay"
EVERY = ""  # in the place of a device's name: many were directed, look at all
_RETRY_S = 2.0
_POLL_S = 0.5


class Publisher(Protocol):
    """What carries messages to devices; callable from any thread."""

    def publish(self, topic: Topic, payload: bytes, *, qos: int) -> None: ...


def publish_pending(
    connection: Connection, publisher: Publisher, devices: Iterable[str] | None = None
) -> int:
    """Publish what ``devices``, or all of them, have not accepted; returns how many directives."""
    names = None if devices is None else list(devices)
    query = QUERIES["pending"] if names is None else QUERIES["pending_of"]
    rows = connection.execute(query, {"names": names}).fetchall()
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
            self._act(connection, [*connection.notifies(timeout=_POLL_S)])

    def _act(self, connection: Connection, notices: Sequence[Notify]) -> None:
        """See to what came together: directives of many devices are one question to the database."""
        directed = {notice.payload for notice in notices if notice.channel == DIRECTIVE}
        if directed:
            publish_pending(connection, self._publisher, None if EVERY in directed else sorted(directed))
        for notice in notices:
            if notice.channel == REPLAY:
                self.replay_wanted.set()
            elif notice.channel == COMMAND:
                self._command(notice.payload)

    def _command(self, payload: str) -> None:
        """Whoever may connect to the database may say anything here: nothing of it ends this thread."""
        try:
            fields = json.loads(payload)
            command = Command.from_json(json.dumps(fields["command"]).encode())
            self._publisher.publish(Topic(fields["device"], Channel.COMMAND), command.to_json(), qos=1)
        except (ValueError, KeyError, TypeError, RecursionError, MessageError, TopicError) as error:
            log.warning("a command cannot be sent", error=str(error))
