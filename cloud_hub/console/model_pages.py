"""Models: what each use case runs, what wants to replace it, and where a number comes from."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console import reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import SQL, hub, seen_sites
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.registry.models import SQL as REGISTRY_SQL
from cloud_hub.registry.models import Registry
from cloud_hub.registry.trace import trace
from cloud_hub.store.database import Row

MOST_RUNS = 12

pages = Blueprint("model", __name__, url_prefix="/models")


@pages.get("")
@needs(Permission.SEE)
def index() -> ResponseReturnValue:
    database = hub().database
    by_use_case: dict[str, list[Row]] = {}
    for row in database.rows(REGISTRY_SQL["newest_first"], {"use_case": None}):
        by_use_case.setdefault(row["use_case"], []).append(_shown(row))
    return render_template(
        "models.html",
        use_cases=dict(sorted(by_use_case.items())),
        running={row["release"]: row["devices"] for row in database.rows(SQL["release_runs_on"])},
        runs=database.rows(REGISTRY_SQL["runs"], {"use_case": None, "most": MOST_RUNS}),
    )


@pages.get("/<use_case>/<int:version>")
@needs(Permission.SEE)
def show(use_case: str, version: int) -> ResponseReturnValue:
    release = f"{use_case}/{version}"
    database = hub().database
    found = trace(Registry(database, hub().artifacts, hub().clock), release)
    aliases = [
        row["name"]
        for row in database.rows(SQL["aliases"])
        if (row["use_case"], row["version"]) == (use_case, version)
    ]
    return render_template(
        "model.html",
        trace=found,
        model=found.model,
        source=found.source,
        gate=found.model.gate,
        aliases=aliases,
        rollouts=database.rows(SQL["release_rollouts"], {"release": release, "sites": seen_sites()}),
        devices=reach.devices_seen(found.devices),
    )


def _baseline(evidence: Mapping[str, Any]) -> float | None:
    """The trivial guess that the gate held it against, which need not be the best one; else the best."""
    trivial: dict[str, float] = evidence.get("baselines") or {}
    held = [trivial[duel["rival"]] for duel in evidence.get("paired") or () if duel["rival"] in trivial]
    return min(held or trivial.values(), default=None)


def _shown(row: Row) -> dict[str, Any]:
    evidence = (row["gate"] or {}).get("evidence") or {}
    return row | {
        "evidence": evidence,
        "figure": evidence.get("figure"),
        "baseline": _baseline(evidence),
        "aliases": row["aliases"] or [],
    }
