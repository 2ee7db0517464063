"""The trace: from a release back to the rows it was made of, forward to what it said and where it runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cloud_hub.registry.models import SQL, Model, Registry
from cloud_hub.store.database import Database, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The run that made a model, and the dataset that the run learnt from."""

    run: str
    code: str  # version of the code that trained
    correlation: str
    created: datetime
    why: str  # it was trained
    author: str  # who asked for it; "": not known
    metrics: dict[str, Any]
    dataset: str
    dataset_hash: str
    dataset_removed: datetime | None  # since when its files are gone
    feature_set: str
    feature_set_version: str  # SHA-256 of the source text behind it
    rows: int
    machines: int
    failures: int  # lives that ended in one
    span: tuple[str, str]  # times of the first and the last row
    rows_by_machine: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    model: Model
    source: Source
    aliases: tuple[str, ...]
    approvals: tuple[Row, ...]  # person, override, approved
    refusal: Row | None  # person, reason, refused: a person's no, for good; the gate's is none
    precisions: Mapping[str, str]  # beside float32, each with whether its release has it and why
    rollouts: tuple[Row, ...]  # id, state, created, created_by, committed, devices
    predictions: Row  # predictions, machines, first, last; machines and last where they were not counted
    devices: tuple[str, ...]  # that run it, as they said last

    def to_fields(self) -> dict[str, Any]:
        """Plain values; times stay datetimes."""
        model = self.model
        return {
            "release": model.release,
            "use_case": model.use_case,
            "version": model.version,
            "state": model.state,
            "aliases": list(self.aliases),
            "gate": dict(model.gate),
            "created": model.created,
            "released": model.released,
            "removed": model.removed,
            "onnx_sha256": model.onnx_sha256,
            "bundle_sha256": model.bundle_sha256,
            "approvals": [dict(row) for row in self.approvals],
            "refusal": None if self.refusal is None else dict(self.refusal),
            "precisions": dict(self.precisions),
            "source": asdict(self.source),
            "rollouts": [dict(row) for row in self.rollouts],
            "predictions": dict(self.predictions),
            "devices": list(self.devices),
        }


def trace(registry: Registry, release: str, *, counted: bool = True) -> Trace:
    """The whole trace of ``release``; NotFoundError where there is none.

    Not ``counted``: of its predictions only which machines it speaks for now, for a page that must not wait.
    """
    model, database = registry.get(release), registry.database
    named = {"release": release}
    return Trace(
        model=model,
        source=_source(database, model),
        aliases=tuple(row["name"] for row in database.rows(SQL["aliases"], named)),
        approvals=tuple(database.rows(SQL["approvals"], named)),
        refusal=database.row(SQL["refusal"], named),
        precisions=(database.row(SQL["weighed"], named) or {"precisions": {}})["precisions"],
        rollouts=tuple(database.rows(SQL["rollouts"], named)),
        predictions=database.row(SQL["predictions" if counted else "predicting"], named) or {},
        devices=tuple(row["name"] for row in database.rows(SQL["devices"], named)),
    )


def _source(database: Database, model: Model) -> Source:
    run = database.row(SQL["run"], {"run": model.run})
    assert run is not None  # the schema holds a model to its run
    asked = database.row(SQL["author"], {"run": model.run}) or {"actor": ""}
    dataset = database.row(SQL["dataset"], {"dataset": run["dataset"]}) or {}
    gone = database.row(SQL["dataset_removed"], {"dataset": run["dataset"]}) or {"removed": None}
    manifest = dataset.get("manifest", {})
    return Source(
        run=run["id"],
        code=run["code"],
        correlation=run["correlation"],
        created=run["created"],
        why=run["settings"].get("why") or (f"asked by {asked['actor']}" if asked["actor"] else ""),
        author=asked["actor"],
        metrics=run["metrics"],
        dataset=dataset.get("id", ""),
        dataset_hash=dataset.get("hash", ""),
        dataset_removed=gone["removed"],
        feature_set=dataset.get("feature_set", model.manifest.feature_set),
        feature_set_version=manifest.get("feature_set_version", ""),
        rows=dataset.get("rows", 0),
        machines=dataset.get("machines", 0),
        failures=dataset.get("lives", 0),
        span=tuple(manifest.get("span", ("", ""))),
        rows_by_machine=manifest.get("rows_by_machine", {}),
    )
