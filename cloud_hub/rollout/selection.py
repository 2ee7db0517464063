"""Which devices a plan means, in the order they are offered the release; a plan that means nobody is refused.

Devices that are online come first, so that the first wave can answer; among
them the order is that of their names, so that people can foresee it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.rollout.plan import Plan, PlanError
from cloud_hub.store.database import Connection, Row, load_queries

SQL = load_queries("cloud_hub.rollout")

# What speaks against a device, in words.
_OBJECTIONS = {
    "retired": "retired",
    "unenrolled": "not enrolled",
    "unfit": "without a machine of class {machine_class!r}",
    "off_target": "of a target the release is not for",
    "pinned": "pinned",
    "running": "running {release} already",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A device that the selector names."""

    id: int
    name: str
    site: str
    zone: str  # IANA, of its site
    why: str  # what speaks against it; "": nothing
    detail: str = ""  # of a pin: its reason
    runs: str | None = None  # the release of the use case that it runs


def released(connection: Connection, plan: Plan) -> Row:
    """The model of the plan's release, which must be published."""
    model = connection.execute(SQL["model"], {"release": plan.release}).fetchone()
    if model is None:
        raise NotFoundError("release", plan.release)
    if model["state"] == "removed":
        raise ConflictError(f"the files of {plan.release} were removed: train the use case again")
    if model["state"] == "refused":
        raise ConflictError(f"{plan.release} is refused: `andon model show {plan.release}` says why")
    if model["state"] != "released" or not model["bundle_path"]:
        raise ConflictError(
            f"expected {plan.release} to be released, it is {model['state']}: "
            f"`andon model approve {plan.release}` publishes it"
        )
    return model


def candidates(
    connection: Connection, plan: Plan, manifest: dict[str, Any], *, beside: str | None = None
) -> list[Candidate]:
    """Every device the selector names, in order; with ``beside`` only those not yet in that rollout."""
    facts = {
        "release": plan.release,
        "use_case": plan.use_case,
        "machine_class": manifest["machine_class"],
        "targets": list(manifest["targets"]),
        "beside": beside,
    }
    lists = {name: list(values) for name, values in asdict(plan.selector).items()}
    lists["targets_of"] = lists.pop("targets")
    rows = connection.execute(SQL["selected"], facts | lists).fetchall()
    told = {None: ""} | {name: text.format(**facts) for name, text in _OBJECTIONS.items()}
    return [_candidate(row, told[row["objection"]]) for row in rows]


def select(found: Sequence[Candidate], plan: Plan) -> list[Candidate]:
    """Those of ``found`` to offer the release to; ``PlanError`` where there is nobody."""
    _check_names(plan, found)
    chosen = [each for each in found if not each.why]
    if not chosen:
        counts = Counter(each.why for each in found)
        why = ", ".join(f"{number} {text}" for text, number in counts.most_common())
        raise PlanError(f"the plan selects no device: {plan.selector}: {why or 'nobody matches'}")
    return chosen


def _candidate(row: Row, why: str) -> Candidate:
    return Candidate(
        id=row["id"],
        name=row["name"],
        site=row["site"],
        zone=row["zone"],
        why=why,
        detail=row["pin"] if row["objection"] == "pinned" else "",
        runs=row["runs"],
    )


def _check_names(plan: Plan, found: Sequence[Candidate]) -> None:
    """A name that is not known is a slip; one left out by another list is a choice."""
    missing = sorted({*plan.selector.devices} - {each.name for each in found})
    if missing and not any(values for name, values in asdict(plan.selector).items() if name != "devices"):
        raise NotFoundError("device", ", ".join(missing))
