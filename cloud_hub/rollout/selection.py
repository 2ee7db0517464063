"""Which devices a plan means, in the order they are offered the release; a plan that means nobody is refused.

Devices that are online come first, so that the first wave can answer; among
them the order is that of their names, so that people can foresee it.
"""

from collections import Counter
from dataclasses import asdict
from typing import Any

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.rollout.plan import Plan, PlanError
from cloud_hub.store.database import Connection, Row, load_queries

SQL = load_queries("cloud_hub.rollout")

# What speaks against a device, worst first.
_OBJECTIONS = {
    "retired": "retired",
    "unenrolled": "not enrolled",
    "unfit": "without a machine of class {machine_class!r}",
    "off_target": "of a target the release is not for",
    "running": "running {release} already",
}


def released(connection: Connection, plan: Plan) -> Row:
    """The model of the plan's release, which must be published."""
    model = connection.execute(SQL["model"], {"release": plan.release}).fetchone()
    if model is None:
        raise NotFoundError("release", plan.release)
    if model["state"] != "released" or not model["bundle_path"]:
        raise ConflictError(
            f"expected {plan.release} to be released, it is {model['state']}: "
            f"`andon model approve {plan.release}` publishes it"
        )
    return model


def select(connection: Connection, plan: Plan, manifest: dict[str, Any]) -> list[Row]:
    """The devices to offer the release to, in order."""
    facts = {
        "release": plan.release,
        "use_case": plan.use_case,
        "machine_class": manifest["machine_class"],
        "targets": list(manifest["targets"]),
    }
    lists = {name: list(values) for name, values in asdict(plan.selector).items()}
    found = connection.execute(SQL["selected"], facts | lists).fetchall()
    _check_names(plan, found)
    chosen = [row for row in found if _objection(row) is None]
    if not chosen:
        counts = Counter(_objection(row) for row in found)
        why = ", ".join(
            f"{counts[name]} {text.format(**facts)}" for name, text in _OBJECTIONS.items() if counts[name]
        )
        raise PlanError(f"the plan selects no device: {plan.selector}: {why or 'nobody matches'}")
    return chosen


def _check_names(plan: Plan, found: list[Row]) -> None:
    """A name that is not known is a slip; one left out by another list is a choice."""
    missing = sorted({*plan.selector.devices} - {row["name"] for row in found})
    others = (plan.selector.sites, plan.selector.tags, plan.selector.profiles)
    if missing and not any(others):
        raise NotFoundError("device", ", ".join(missing))


def _objection(row: Row) -> str | None:
    return next((name for name in _OBJECTIONS if row[name]), None)
