"""What would start, read in one transaction: what a preview shows is what a start then does."""

from collections.abc import Sequence
from datetime import datetime

from cloud_hub.rollout.plan import Plan, PlanError
from cloud_hub.rollout.preview import Other, Preview, StartedError, foresee
from cloud_hub.rollout.selection import SQL, Candidate, candidates
from cloud_hub.store.database import Connection, Row


def look_ahead(connection: Connection, plan: Plan, model: Row, now: datetime) -> Preview:
    """``foresee``, of the fleet as this transaction finds it; ``model`` is the one that is rolled out."""
    found = candidates(connection, plan, model["manifest"])
    return foresee(plan, found, now, rollout=_name(connection, plan), others=_others(connection, plan, found))


def check_once(connection: Connection, plan: Plan, seal: str, actor: str) -> None:
    """``StartedError`` where ``actor`` has started just this before, under the name that was foreseen."""
    values = {"rollout": seal.split(" ", maxsplit=1)[0], "actor": actor}
    row = connection.execute(SQL["started_by"], values).fetchone()
    if row is not None and _is(plan, row):
        raise StartedError(row["id"])


def _is(plan: Plan, row: Row) -> bool:
    try:
        return Plan.parse(row["plan"]) == plan
    except PlanError:
        return False


def _name(connection: Connection, plan: Plan) -> str:
    """Such as motor-health-3.1: the first rollout of motor-health/3."""
    counted = connection.execute(SQL["count_rollouts"], {"release": plan.release}).fetchone()
    assert counted is not None
    return f"{plan.release.replace('/', '-')}.{counted['number'] + 1}"


def _others(connection: Connection, plan: Plan, found: Sequence[Candidate]) -> list[Other]:
    wanted = {"use_case": plan.use_case, "devices": [each.id for each in found if not each.why]}
    rows = connection.execute(SQL["conflicts"], wanted)
    return [Other(id=row["id"], devices=tuple(row["devices"])) for row in rows]
