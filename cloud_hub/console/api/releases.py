"""Use cases, the releases of each, and where a release comes from and went to."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from cloud_hub.console import reach
from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import DIGITS, Query, Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.api.told_releases import (
    ApprovalTold,
    ComparisonTold,
    ListedRelease,
    RefusalTold,
    ReleaseTold,
    RunState,
    RunTold,
    WentTo,
    gate_of,
    listed_of,
    missing_of,
    run_of,
    source_of,
)
from cloud_hub.console.here import SQL as CONSOLE
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.registry.models import SQL as REGISTRY
from cloud_hub.registry.models import Registry
from cloud_hub.registry.trace import trace
from cloud_hub.store.database import load_queries
from cloud_hub.training.comparing import compare
from models import use_case as use_cases

SQL = load_queries("cloud_hub.console.api", "releases.sql")
VERSION = "<int(min=1, max=2147483647):version>"


class ReleasesAsked(Paging):
    use_case: Text = ""
    state: Literal["candidate", "refused", "approved", "released", "removed"] | None = None


class RunsAsked(Paging):
    use_case: Text = ""
    state: RunState | None = None


class ComparisonAsked(Query):
    against: Annotated[int, Field(ge=1, le=999_999_999, description="Another version."), DIGITS]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseTold:
    name: str
    champion: str | None  # its release
    candidate: str | None
    releases: int
    newest: datetime | None
    runs_open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    use_cases: tuple[UseCaseTold, ...]


@operation("GET", "/use-cases", Permission.SEE)
def list_use_cases() -> UseCases:
    """Every use case that was trained or is declared, with its champion and its candidate."""
    rows = {row["name"]: row for row in hub().database.rows(SQL["use_cases"])}
    none = {"champion": None, "candidate": None, "releases": 0, "newest": None, "runs_open": 0}
    names = sorted({*rows, *use_cases.names(hub().config.use_cases)})
    return UseCases(use_cases=tuple(UseCaseTold(**rows.get(name, none | {"name": name})) for name in names))


@operation("GET", "/releases", Permission.SEE)
def releases(query: ReleasesAsked) -> Page[ListedRelease]:
    """Every version of every model, newest first."""
    values = {"use_case": query.use_case, "state": query.state}
    return paging.looked_up(query, SQL["releases"], values, listed_of)


@operation("GET", f"/releases/<use_case>/{VERSION}", Permission.SEE)
def release(use_case: str, version: int) -> ReleaseTold:
    """One release: verdict, approvals, what it was made of, where it went and runs."""
    found = trace(registry(), f"{use_case}/{version}", counted=False)
    model = found.model
    asked = {"release": model.release, "sites": seen_sites()}
    rollouts = hub().database.rows(CONSOLE["release_rollouts"], asked)
    return ReleaseTold(
        release=model.release,
        use_case=model.use_case,
        version=model.version,
        state=model.state,
        aliases=found.aliases,
        created=model.created,
        released=model.released,
        removed=model.removed,
        onnx_sha256=model.onnx_sha256,
        bundle_sha256=model.bundle_sha256,
        gate=gate_of(model.gate),
        approvals=tuple(ApprovalTold(**row) for row in found.approvals),
        refusal=RefusalTold(**found.refusal) if found.refusal else None,
        missing=missing_of(found),
        precisions=dict(found.precisions),
        source=source_of(found),
        rollouts=tuple(
            WentTo(rollout=row["id"], state=row["state"], created=row["created"]) for row in rollouts
        ),
        devices=tuple(reach.devices_seen(found.devices)),
        machines_predicted=found.predictions.get("machines", 0),
        manifest=json.loads(model.manifest.to_json()),
    )


@operation("GET", f"/releases/<use_case>/{VERSION}/comparison", Permission.SEE, refusals=(409,))
def comparison(use_case: str, version: int, query: ComparisonAsked) -> ComparisonTold:
    """A release held against another version of its use case, on machines that neither learnt from."""
    one, other = (registry().get(f"{use_case}/{each}") for each in (version, query.against))
    told = compare(one, other).to_fields()
    seen = frozenset(reach.machines_seen(told["by_machine"]))
    lists = {name: tuple(told[name]) for name in ("releases", "values", "ratio")}
    pairs = {
        name: {key: tuple(pair) for key, pair in told[name].items()}
        for name in ("by_machine", "beside", "alarms", "slices")
    }
    pairs["by_machine"] = {name: pair for name, pair in pairs["by_machine"].items() if name in seen}
    if seen_sites() is not None:
        pairs["slices"] = {}  # these are named after sites
    return ComparisonTold(**told | lists | pairs)


@operation("GET", "/runs", Permission.SEE)
def runs(query: RunsAsked) -> Page[RunTold]:
    """Trainings, newest first, each with what came of it."""
    values = {"use_case": query.use_case or None, "state": query.state}
    return paging.looked_up(query, REGISTRY["runs"], values, run_of)


def registry() -> Registry:
    return Registry(hub().database, hub().artifacts, hub().clock)
