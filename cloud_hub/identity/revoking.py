"""Ending trust in a device or in a key it had: the hub refuses it from this commit on.

What the broker has to be told follows from the rows written here, by whoever
holds the authority's key (``revoker``): a notice on ``REVOKED`` says that there are some.
"""

from datetime import UTC, datetime

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.identity.devices import Note
from cloud_hub.identity.tokens import QUERIES
from cloud_hub.store.database import Connection, Database

REVOKED = "andon_revoked"  # LISTEN to it


def retire(database: Database, *, name: str, reason: str, now: datetime, note: Note) -> int:
    """Take device ``name`` out of service for good; returns how many certificates that revoked.

    From the commit on its messages are refused, it can neither renew nor enrol, and no rollout selects it.
    ``now`` is the hub's clock; ``note`` writes the act into the audit chain.
    """
    with database.transaction() as connection:
        retired = connection.execute(QUERIES["retire"], {"name": name, "now": now}).fetchone()
        if retired is None:
            if connection.execute(QUERIES["device"], {"name": name}).fetchone() is None:
                raise NotFoundError("device", name)
            raise ConflictError(f"device {name!r} is retired already")
        revoked = revoke(connection, retired["id"], reason=reason)
        note(connection)
    return revoked


def revoke(connection: Connection, device: int, *, reason: str, but_key: str = "") -> int:
    """Revoke the certificates of ``device``, those of ``but_key`` excepted; returns how many.

    To be called with the device's row locked, so that none is signed meanwhile.
    """
    values = {"device": device, "reason": reason, "but_key": but_key, "now": datetime.now(UTC)}
    revoked = connection.execute(QUERIES["revoke"], values).rowcount
    if revoked:
        connection.execute("SELECT pg_notify(%(channel)s, '')", {"channel": REVOKED})
    return revoked


def uncut(database: Database, name: str) -> bool:
    """Whether the broker may still know ``name`` by a certificate that was revoked."""
    return database.row(QUERIES["uncut_of"], {"name": name}) is not None
