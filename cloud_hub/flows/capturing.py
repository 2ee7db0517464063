"""Asking a machine's device for its next raw windows: once, by the same call from console and command line.

The device may be away: what was asked is said again at its next birth, for a day. Whoever asks again
before it has answered changes nothing.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.hub import Hub
from cloud_hub.store.database import Connection, Row, load_queries
from wire.messages import WAVEFORM, Command

SQL = load_queries("cloud_hub.flows", "capturing.sql")
WAITS = timedelta(days=1)  # as long one that nobody answered stands for those who ask again


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a device was asked for; ``again``: it had been before, and has not answered yet."""

    machine: str
    device: str
    online: bool
    command: str
    asked: datetime
    again: bool


def ask(hub: Hub, machine: str, *, actor: str) -> Asked:
    """Ask for a capture of ``machine``.

    ``NotFoundError`` where there is no such machine, ``ConflictError`` where nothing can answer.
    """
    with hub.database.transaction() as connection:
        found = connection.execute(SQL["machine"], {"machine": machine}).fetchone()
        if found is None:
            raise NotFoundError("machine", machine)
        _check(machine, found)
        asked = _asked(hub, connection, machine, found, actor)
        command = Command(kind=WAVEFORM, id=asked.command, arguments={"machine": machine})
        told = json.dumps({"device": asked.device, "command": asdict(command)})
        connection.execute(SQL["say"], {"command": told})
    return asked


def _check(machine: str, found: Row) -> None:
    if found["retired"]:
        raise ConflictError(f"{found['device']}, which watches {machine}, was retired: nothing answers")
    if not found["waveforms"]:
        raise ConflictError(f"{machine} has no waveform signal: there are no windows to keep")


def _asked(hub: Hub, connection: Connection, machine: str, found: Row, actor: str) -> Asked:
    now = hub.clock.now()
    fresh = f"{WAVEFORM}-{secrets.token_hex(8)}"
    values = {"machine": found["id"], "id": fresh, "now": now, "actor": actor, "since": now - WAITS}
    kept = connection.execute(SQL["ask"], values).fetchone()
    again = kept is None
    if kept is None:
        kept = connection.execute(SQL["asked"], values).fetchone()
    else:
        detail = {"device": found["device"], "command": fresh}
        hub.record(connection, actor=actor, action="capture.ask", subject=machine, detail=detail)
    assert kept is not None  # the statement before saw it
    of = {"machine": machine, "device": found["device"], "online": found["online"], "again": again}
    return Asked(command=kept["id"], asked=kept["asked"], **of)
