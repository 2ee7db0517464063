"""Use cases, the releases of each, and where a release comes from and went to.

Evidence names machines, and so does what a run learnt from: whoever may not see every site
gets the verdict and the figures, without the names of what stands elsewhere. So do the pages.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from cloud_hub.console import reach
from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import DIGITS, Query, Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import SQL as CONSOLE
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.console.models import model_view
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.registry.approvals import standing
from cloud_hub.registry.models import SQL as REGISTRY
from cloud_hub.registry.models import Registry
from cloud_hub.registry.trace import Trace, trace
from cloud_hub.store.database import load_queries
from cloud_hub.training.comparing import compare
from models import use_case as use_cases
from models.errors import UseCaseError

SQL = load_queries("cloud_hub.console.api", "releases.sql")
VERSION = "<int(min=1, max=2147483647):version>"

RunState = Literal["queued", "running", "done", "failed", "cancelled"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a model is judged by, such as the RMSE, in its unit (UCUM)."""

    name: str
    value: float | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRelease:
    release: str
    use_case: str
    version: int
    state: str
    aliases: tuple[str, ...]
    run: str
    dataset: str | None
    created: datetime
    released: datetime | None
    removed: datetime | None
    passed: bool | None
    reason: str
    figure: Figure | None
    why: str  # it was trained
    devices: int  # that run it


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What the gate asked, and what it found."""

    name: str
    passed: bool
    found: str
    bar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTold:
    """``evidence`` is null for whoever may not see every site: it names machines."""

    passed: bool
    reason: str
    checks: tuple[Check, ...]
    evidence: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTold:
    person: str
    override: str  # why, where the gate had said no
    approved: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalTold:
    """A person's no, for good."""

    person: str
    reason: str
    refused: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTold:
    """The run that made it, and the dataset it learnt from; machines only as far as they may be seen."""

    run: str
    code: str
    correlation: str
    created: datetime
    why: str
    author: str
    dataset: str
    dataset_hash: str
    dataset_removed: datetime | None
    feature_set: str
    feature_set_version: str
    rows: int
    machines: int
    failures: int
    span: tuple[str, str]
    rows_by_machine: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WentTo:
    rollout: str
    state: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseTold:
    """A release with its lineage both ways; ``missing`` says what it still takes until it is approved."""

    release: str
    use_case: str
    version: int
    state: str
    aliases: tuple[str, ...]
    created: datetime
    released: datetime | None
    removed: datetime | None
    onnx_sha256: str
    bundle_sha256: str | None
    gate: GateTold
    approvals: tuple[ApprovalTold, ...]
    refusal: RefusalTold | None
    missing: str
    precisions: dict[str, str]
    source: SourceTold
    rollouts: tuple[WentTo, ...]
    devices: tuple[str, ...]
    machines_predicted: int
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonTold:
    """Two releases on machines that neither learnt from, the first one first; ``ratio`` is its 90 % band."""

    releases: tuple[str, str]
    figure: str
    unit: str
    machines: int
    values: tuple[float, float]
    ratio: tuple[float | None, float | None]
    chance_better: float
    machines_better: int
    by_machine: dict[str, tuple[float, float]]
    beside: dict[str, tuple[Any, Any]]
    alarms: dict[str, tuple[Any, Any]]
    slices: dict[str, tuple[float, float, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTold:
    """A training; ``progress`` is a share from 0 to 1."""

    id: str
    use_case: str
    state: RunState
    stage: str
    progress: float
    dataset: str | None
    error: str
    created: datetime
    finished: datetime | None
    correlation: str
    release: str | None
    passed: bool | None
    why: str


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
    return paging.looked_up(query, SQL["releases"], values, _listed)


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
        gate=_gate(model.gate),
        approvals=tuple(ApprovalTold(**row) for row in found.approvals),
        refusal=RefusalTold(**found.refusal) if found.refusal else None,
        missing=_missing(found),
        precisions=dict(found.precisions),
        source=_source(found),
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
    seen = seen_machines(told["by_machine"])
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
    return paging.looked_up(query, REGISTRY["runs"], values, _run)


def registry() -> Registry:
    return Registry(hub().database, hub().artifacts, hub().clock)


def _run(row: Mapping[str, Any]) -> RunTold:
    return RunTold(**{**row, "error": model_view.error_of(row["error"])})


def _listed(row: Mapping[str, Any]) -> ListedRelease:
    told = {"figure": figure(row["figure"]), "aliases": tuple(row["aliases"] or ())}
    return ListedRelease(**{**row, **told, "reason": model_view.without_sites(row["reason"])})


def figure(told: Mapping[str, Any] | None) -> Figure | None:
    return Figure(name=told["name"], value=told["value"], unit=told["unit"]) if told else None


def _gate(told: Mapping[str, Any]) -> GateTold:
    return GateTold(
        passed=bool(told.get("passed")),
        reason=model_view.reason_of(told),
        checks=tuple(
            Check(**{name: each.get(name, "") for name in Check.__dataclass_fields__})
            for each in model_view.checks_of(told)
        ),
        evidence=dict(told.get("evidence") or {}) if seen_sites() is None else None,
    )


def _source(found: Trace) -> SourceTold:
    source = found.source
    told = {name: getattr(source, name) for name in SourceTold.__dataclass_fields__}
    seen = seen_machines(source.rows_by_machine)
    told["rows_by_machine"] = {name: rows for name, rows in source.rows_by_machine.items() if name in seen}
    return SourceTold(**told)


def _missing(found: Trace) -> str:
    """What it still takes until a candidate is approved; nothing of others, or where its use case is gone."""
    if found.refusal or found.model.state not in ("candidate", "refused"):
        return ""
    with suppress(UseCaseError):
        rule = use_cases.find(found.model.use_case, hub().config.use_cases).approval
        return standing([row["person"] for row in found.approvals], found.source.author, rule).missing
    return ""


def seen_machines(names: Iterable[str]) -> frozenset[str]:
    """Those that may be seen; for whoever sees every site also those that are gone by now."""
    sites, wanted = seen_sites(), list(names)
    if sites is None:
        return frozenset(wanted)
    rows = hub().database.rows(SQL["machines_at"], {"names": wanted, "sites": sites})
    return frozenset(row["name"] for row in rows)
