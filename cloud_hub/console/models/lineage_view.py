"""What the hub knows of a lineage: from a release back to its rows, from a dataset to what came of it.

Only what stands at sites the caller may see is named or counted; the rows that everything
was learnt from are a whole, and their number is told to everybody.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import url_for

from cloud_hub.console import reach
from cloud_hub.console.here import hub
from cloud_hub.console.models import lineage_forward
from cloud_hub.console.models.lineage import Lineage, Thing, counted, place
from cloud_hub.console.models.model_view import SQL as MODELS
from cloud_hub.errors import NotFoundError
from cloud_hub.registry.trace import Trace

MOST_MADE = 50  # runs of a dataset
MOST_MACHINES = 200  # told one by one, by name


def of_release(found: Trace) -> Lineage:
    lineage = Lineage()
    _back(lineage, found)
    _decided(lineage, found)
    lineage_forward.add(lineage, found)
    return lineage


def of_dataset(digest: str) -> dict[str, Any]:
    """What a dataset holds, and what was made of it."""
    row = hub().database.row(MODELS["dataset"], {"digest": digest})
    if row is None:
        raise NotFoundError("dataset", digest)
    runs = hub().database.rows(MODELS["made_of"], {"dataset": row["id"], "most": MOST_MADE})
    lineage = Lineage()
    _rows(lineage, row["machines"], row["lives"], row["rows"], row["manifest"].get("span"))
    lineage.add(_dataset(row["id"], row["hash"], row["feature_set"], here=True))
    for run in reversed(runs):
        lineage.add(_run(run["id"], row["use_case"], run["state"], run["created"]))
        if run["release"]:
            state = f"refused by {run['refused_by']}" if run["refused_by"] else run["model_state"]
            lineage.add(_release(run["release"], run["id"], state))
    rows = row["manifest"].get("rows_by_machine", {})
    seen = reach.machines_seen(rows)
    told = {name: rows[name] for name in seen[:MOST_MACHINES]}
    return {
        "title": row["id"],
        "dataset": row,
        "lineage": lineage,
        "machines": told,
        "more": len(seen) - len(told),
        "unseen": len(rows) - len(seen),
        "release": None,
    }


def _back(lineage: Lineage, found: Trace) -> None:
    model, source = found.model, found.source
    made_of: tuple[str, ...] = ()
    if source.dataset:
        _rows(lineage, source.machines, source.failures, source.rows, source.span)
        lineage.add(_dataset(source.dataset, source.dataset_hash, source.feature_set))
        made_of = ("dataset",)
    version = source.feature_set_version
    lineage.add(
        Thing(
            id="features",
            kind="feature set",
            title=source.feature_set,
            detail=f"version {version[:12]}" if version else "",
            layer=1,
        )
    )
    lineage.add(Thing(id="code", kind="code", title=source.code or "unknown", layer=1))
    run = _run(source.run, model.use_case, source.why, None if source.why else source.created)
    lineage.add(
        Thing(
            id="run",
            kind="run",
            title=run.title,
            detail=run.detail,
            time=run.time,
            url=run.url,
            layer=2,
            made_of=(*made_of, "features", "code"),
        )
    )
    lineage.add(_release(model.release, "", model.state, here=True))


def _decided(lineage: Lineage, found: Trace) -> None:
    """Whose word it was."""
    if found.refusal is not None:
        detail = f"by {found.refusal['person']}: {found.refusal['reason']}"
        lineage.add(_after_release("refusal", "refusal", "refused for good", detail))
    for number, row in enumerate(found.approvals):
        against = f"against the gate: {row['override']}" if row["override"] else ""
        said = _after_release(f"approval-{number}", "approval", row["person"], against)
        lineage.add(replace(said, time=row["approved"]))


def _after_release(key: str, kind: str, title: str, detail: str) -> Thing:
    return Thing(id=key, kind=kind, title=title, detail=detail, layer=4, made_of=("release",))


def _rows(lineage: Lineage, machines: int, lives: int, rows: int, span: Any) -> None:
    first, last = span or ("", "")
    dates = f", {first[:10]} to {last[:10]}" if first else ""
    detail = f"{counted(lives, 'failure')}, {counted(rows, 'row')}{dates}"
    lineage.add(Thing(id="rows", kind="rows", title=counted(machines, "machine"), detail=detail, layer=0))


def _dataset(name: str, digest: str, feature_set: str, *, here: bool = False) -> Thing:
    return Thing(
        id="dataset",
        kind="dataset",
        title=name,
        detail=f"{digest[:12]}, {feature_set}",
        url="" if here else url_for("model.dataset", digest=digest),
        layer=1,
        made_of=("rows",),
        here=here,
    )


def _run(run: str, use_case: str, detail: str, time: datetime | None) -> Thing:
    url = url_for("model.use_case", use_case=use_case, _anchor="h-runs")
    return Thing(
        id=run, kind="run", title=run, detail=detail, time=time, url=url, layer=2, made_of=("dataset",)
    )


def _release(release: str, run: str, state: str, *, here: bool = False) -> Thing:
    return Thing(
        id="release" if here else release,
        kind="release",
        title=release,
        detail=state,
        url=url_for("model.show", **place(release)),
        layer=3,
        made_of=(run or "run",),
        here=here,
    )
