"""What is said on the hub's channels, which whoever may connect to the database can use: nothing ends who listens."""

import json
import queue

from cloud_hub.ingest.directives import COMMAND, DIRECTIVE, Listener
from cloud_hub.store.database import Database
from wire.topics import Channel, Topic

PATIENCE_S = 30.0
JUNK = (
    (COMMAND, ""),
    (COMMAND, "[" * 7000),
    (COMMAND, '{"device": "press-01", "command": {"kind": "rebirth", "arguments": 5}}'),
    (COMMAND, '{"device": "press-01", "command": ' + "[" * 3000 + "]" * 3000 + "}"),
    (COMMAND, '{"device": "#", "command": {"kind": "rebirth"}}'),
    (COMMAND, '{"device": ["press-01"], "command": {"kind": "rebirth"}}'),
    (COMMAND, '{"device": "press-01", "command": ' + "9" * 5000 + "}"),
    (DIRECTIVE, "x" * 7000),
)


class Said:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.heard: queue.Queue[tuple[Topic, bytes]] = queue.Queue()

    def publish(self, topic: Topic, payload: bytes, *, qos: int) -> None:
        self.heard.put((topic, payload))


def test_nothing_that_is_said_on_a_channel_ends_who_listens(database: str) -> None:
    said = Said()
    with Database(database, most=2) as opened:
        listener = Listener(opened, said)
        listener.start()
        assert listener.replay_wanted.wait(PATIENCE_S)  # by then it hears
        for channel, payload in JUNK:
            opened.row("SELECT pg_notify(%(channel)s, %(payload)s)", {"channel": channel, "payload": payload})
        good = {"device": "press-01", "command": {"kind": "rebirth", "id": "r-1", "arguments": {}}}
        opened.row(
            "SELECT pg_notify(%(channel)s, %(payload)s)", {"channel": COMMAND, "payload": json.dumps(good)}
        )
        topic, payload = said.heard.get(timeout=PATIENCE_S)
        listener.stop()
    assert topic == Topic("press-01", Channel.COMMAND)
    assert json.loads(payload) == good["command"]
    assert said.heard.empty()
