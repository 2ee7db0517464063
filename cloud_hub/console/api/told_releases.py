"""What the API tells of a release, a comparison and a training, each made of what the registry has.

Evidence names machines, and so does what a run learnt from: whoever may not see every site
gets the verdict and the figures, without the names of what stands elsewhere. So do the pages.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cloud_hub.console import reach
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.console.models import model_view
from cloud_hub.registry.approvals import standing
from cloud_hub.registry.trace import Trace
from models import use_case as use_cases
from models.errors import UseCaseError

RunState = Literal["queued", "running", "done", "failed", "cancelled"]


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


def run_of(row: Mapping[str, Any]) -> RunTold:
    return RunTold(**{**row, "error": model_view.error_of(row["error"])})


def listed_of(row: Mapping[str, Any]) -> ListedRelease:
    told = {"figure": figure_of(row["figure"]), "aliases": tuple(row["aliases"] or ())}
    return ListedRelease(**{**row, **told, "reason": model_view.without_sites(row["reason"])})


def figure_of(told: Mapping[str, Any] | None) -> Figure | None:
    return Figure(name=told["name"], value=told["value"], unit=told["unit"]) if told else None


def gate_of(told: Mapping[str, Any]) -> GateTold:
    return GateTold(
        passed=bool(told.get("passed")),
        reason=model_view.reason_of(told),
        checks=tuple(
            Check(**{name: each.get(name, "") for name in Check.__dataclass_fields__})
            for each in model_view.checks_of(told)
        ),
        evidence=dict(told.get("evidence") or {}) if seen_sites() is None else None,
    )


def source_of(found: Trace) -> SourceTold:
    source = found.source
    told = {name: getattr(source, name) for name in SourceTold.__dataclass_fields__}
    seen = frozenset(reach.machines_seen(source.rows_by_machine))
    told["rows_by_machine"] = {name: rows for name, rows in source.rows_by_machine.items() if name in seen}
    return SourceTold(**told)


def missing_of(found: Trace) -> str:
    """What it still takes until a candidate is approved; nothing of others, or where its use case is gone."""
    if found.refusal or found.model.state not in ("candidate", "refused"):
        return ""
    with suppress(UseCaseError):
        rule = use_cases.find(found.model.use_case, hub().config.use_cases).approval
        return standing([row["person"] for row in found.approvals], found.source.author, rule).missing
    return ""
