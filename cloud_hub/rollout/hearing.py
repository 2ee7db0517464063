"""What devices reported since the last look, folded into where each of them stands.

A look costs what is new, not what there is. Reports are numbered before their
transactions commit, and these commit in another order: so a number counts as read
only once every transaction that was running when it was the highest has ended.
What is read twice changes nothing.
"""

from dataclasses import dataclass
from datetime import timedelta

from cloud_hub.rollout import states
from cloud_hub.rollout.plan import Late, Plan
from cloud_hub.rollout.selection import SQL
from cloud_hub.store.database import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """How far reports were read, and how far they will have been. Nothing yet: all are read."""

    floor: int = 0  # every report up to this number was folded
    newest: int = 0  # the next floor, once
    running: int = 0  # every transaction below this number has ended


def hear(connection: Connection, about: Row, plan: Plan, heard: Heard) -> Heard:
    """Fold what came after ``heard``; what it returns holds once the caller's transaction commits."""
    horizon = connection.execute(SQL["horizon"]).fetchone()
    assert horizon is not None
    values = {"since": heard.floor, "final": list(states.FINAL), "timeout": timeout(plan)}
    connection.execute(SQL["fold"], about | values | {"returns": plan.late is Late.JOIN})
    if horizon["oldest"] < heard.running:
        return heard
    return Heard(floor=heard.newest, newest=horizon["newest"], running=horizon["next"])


def timeout(plan: Plan) -> timedelta:
    """How long a device may take, of clock time."""
    return timedelta(hours=plan.timeout_hours)
