"""Taking a device out of service: from then on its messages are refused and no rollout selects it."""

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.rollout.ports import Record
from cloud_hub.rollout.read import SQL
from cloud_hub.store.database import Database
from wire.clock import Clock


def retire(database: Database, clock: Clock, record: Record, name: str, *, actor: str, reason: str) -> None:
    """Retire device ``name`` for good, on the record."""
    with database.transaction() as connection:
        retired = connection.execute(SQL["retire"], {"name": name, "now": clock.now()}).fetchone()
        if retired is None:
            known = connection.execute("SELECT FROM device WHERE name = %(name)s", {"name": name}).fetchone()
            if known is None:
                raise NotFoundError("device", name)
            raise ConflictError(f"device {name!r} is retired already")
        record(connection, actor=actor, action="device.retire", subject=name, detail={"reason": reason})
