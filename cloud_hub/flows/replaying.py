"""Asking ingest for another try at what is in quarantine, with an entry in the audit chain.

The try itself is made by ingest, whenever one of its processes runs. Asking again before
that changes nothing and writes nothing.
"""

from cloud_hub.hub import Hub
from cloud_hub.store import quarantine
from cloud_hub.store.database import Connection
from cloud_hub.store.quarantine import Asked

MOST = 10_000  # messages that one form asks for: whoever waits for the answer waits seconds


def replay_one(hub: Hub, number: int, *, actor: str) -> bool:
    """Ask for one message; False where that was done before and not tried yet. Raises as ``ask_replay``."""

    def note(connection: Connection) -> None:
        hub.record(connection, actor=actor, action="quarantine.replay", subject=str(number), detail={})

    return quarantine.ask_replay(hub.database, number, now=hub.clock.now(), note=note)


def replay_all(
    hub: Hub, reason: str, *, actor: str, device: str | None = None, most: int | None = None
) -> Asked:
    """Ask for all that wait for ``reason``, of one device or of every. Raises as ``ask_replay_of``."""

    def note(connection: Connection, fresh: int) -> None:
        detail = {"device": device, "messages": fresh}
        hub.record(connection, actor=actor, action="quarantine.replay", subject=reason, detail=detail)

    return quarantine.ask_replay_of(
        hub.database, reason, device=device, now=hub.clock.now(), most=most, note=note
    )
