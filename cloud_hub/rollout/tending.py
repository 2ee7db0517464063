"""Devices that leave a rollout on its way, come to it late, come back, or come back as somebody else."""

from cloud_hub.rollout import states
from cloud_hub.rollout.plan import Late, Plan
from cloud_hub.rollout.policy import Group, joining_wave
from cloud_hub.rollout.selection import SQL, candidates, released
from cloud_hub.store.database import Connection, Row

_STATES = {"settled": list(states.SETTLED), "idle": list(states.IDLE)}


def tend(connection: Connection, row: Row, plan: Plan, about: Row) -> None:
    """Withdraw who left, direct anew who has another key, take in who is late, as the plan says."""
    connection.execute(SQL["withdraw"], about | _STATES)
    if row["state"] in ("running", "awaiting", "paused", "undone"):
        state = states.RETURNING if row["state"] == "undone" else states.WAITING
        connection.execute(SQL["direct_anew"], about | _STATES | {"state": state})
    if row["state"] in ("running", "awaiting") and plan.late is Late.JOIN:
        _take_in(connection, row, plan, about)


def groups(connection: Connection, rollout: str) -> tuple[Group, ...]:
    """How many devices of each wave stand where."""
    return tuple(Group(**row) for row in connection.execute(SQL["groups"], {"rollout": rollout}))


def _take_in(connection: Connection, row: Row, plan: Plan, about: Row) -> None:
    returned = [each["device"] for each in connection.execute(SQL["returned"], about)]
    joining = _joining(connection, row, plan)
    if not returned and not joining:
        return
    known = groups(connection, row["id"])
    values = about | {"wave": joining_wave(known, row["wave"])}
    connection.execute(SQL["offer_again"], values | {"devices": returned})
    connection.execute(SQL["join"], values | {"devices": joining})
    if values["wave"] > max(group.wave for group in known):
        connection.execute(SQL["gate_wave"], values)


def _joining(connection: Connection, row: Row, plan: Plan) -> list[int]:
    """Devices that match by now, and that no other rollout of the use case directs."""
    model = released(connection, plan)
    found = candidates(connection, plan, model["manifest"], beside=row["id"])
    fit = [each.id for each in found if not each.why]
    if not fit:
        return []
    others = connection.execute(SQL["claimed"], {"use_case": plan.use_case, "devices": fit})
    claimed = {each["device"] for each in others}
    return [device for device in fit if device not in claimed]
