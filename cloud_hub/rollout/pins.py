"""Pins: a pinned device stays on what it runs for a use case. No rollout selects it, no undo moves it.

What it was offered before it was pinned takes its course: the device is at it already.
"""

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.rollout.ports import Record
from cloud_hub.rollout.selection import SQL
from cloud_hub.rollout.states import IDLE, SETTLED
from cloud_hub.store.database import Connection, Database, Row
from wire.clock import Clock


def pin(
    database: Database, clock: Clock, record: Record, name: str, use_case: str, *, actor: str, reason: str
) -> str:
    """Keep device ``name`` on what it runs, on the record; returns the rollout it is under way in, or ''."""
    about = {"name": name, "use_case": use_case, "reason": reason, "actor": actor, "now": clock.now()}
    with database.transaction() as connection:
        _check(connection, about)
        # Whoever is offering releases now has done so first, or sees the pin.
        connection.execute(SQL["lock_use_case"], about)
        if connection.execute(SQL["pin"], about).fetchone() is None:
            raise ConflictError(f"device {name!r} is retired: no rollout selects it anyway")
        _record(connection, record, "device.pin", about)
        known = {"settled": list(SETTLED), "idle": list(IDLE)}
        under_way = connection.execute(SQL["under_way"], about | known).fetchone()
    return under_way["rollout"] if under_way else ""


def unpin(
    database: Database, clock: Clock, record: Record, name: str, use_case: str, *, actor: str, reason: str
) -> None:
    """Let rollouts select device ``name`` again, on the record."""
    about = {"name": name, "use_case": use_case, "reason": reason, "actor": actor, "now": clock.now()}
    with database.transaction() as connection:
        _check(connection, about)
        if connection.execute(SQL["unpin"], about).fetchone() is None:
            raise ConflictError(f"device {name!r} is not pinned for {use_case}")
        _record(connection, record, "device.unpin", about)


def _check(connection: Connection, about: Row) -> None:
    if connection.execute("SELECT FROM device WHERE name = %(name)s", about).fetchone() is None:
        raise NotFoundError("device", about["name"])
    if connection.execute(SQL["known_use_case"], about).fetchone() is None:
        raise NotFoundError("use case", about["use_case"])


def _record(connection: Connection, record: Record, action: str, about: Row) -> None:
    detail = {"use_case": about["use_case"], "reason": about["reason"]}
    record(connection, actor=about["actor"], action=action, subject=about["name"], detail=detail)
