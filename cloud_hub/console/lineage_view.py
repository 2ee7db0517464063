"""What the hub knows of a lineage: back to the rows of a release, forward to what it told and to verdicts.

Only what stands at sites the caller may see is named or counted; the rows that everything
was learnt from are a whole, and their number is told to everybody.
"""

from typing import Any

from flask import url_for

from cloud_hub.console import reach
from cloud_hub.console.here import SQL, hub, seen_sites
from cloud_hub.console.lineage import Lineage, Thing, add_rollouts, counted, judged, some
from cloud_hub.console.model_view import SQL as MODELS
from cloud_hub.console.words import moment
from cloud_hub.errors import NotFoundError
from cloud_hub.registry.trace import Trace
from cloud_hub.store import verdicts
from cloud_hub.store.database import Row
from cloud_hub.store.fleet import Label

MOST_ALARMS = 1000  # looked at; what is older counts no more here
MOST_NAMED = 3  # devices, in a box
MOST_MADE = 50  # runs of a dataset


def of_release(found: Trace) -> Lineage:
    lineage = Lineage()
    _back(lineage, found)
    _decided(lineage, found)
    _forward(lineage, found)
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
        detail = f"{run['state']}, {moment(run['created'])}"
        lineage.add(_run(run["id"], row["use_case"], detail))
        if run["release"]:
            state = f"refused by {run['refused_by']}" if run["refused_by"] else run["model_state"]
            lineage.add(_release(run["release"], run["id"], state))
    rows = row["manifest"].get("rows_by_machine", {})
    seen = reach.machines_seen(rows)
    return {
        "title": row["id"],
        "dataset": row,
        "lineage": lineage,
        "machines": {name: rows[name] for name in seen},
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
    run = _run(source.run, model.use_case, source.why or moment(source.created))
    lineage.add(
        Thing(
            id="run",
            kind="run",
            title=run.title,
            detail=run.detail,
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
        against = f", against the gate: {row['override']}" if row["override"] else ""
        detail = f"{moment(row['approved'])}{against}"
        lineage.add(_after_release(f"approval-{number}", "approval", row["person"], detail))


def _after_release(key: str, kind: str, title: str, detail: str) -> Thing:
    return Thing(id=key, kind=kind, title=title, detail=detail, layer=4, made_of=("release",))


def _forward(lineage: Lineage, found: Trace) -> None:
    model, asked = found.model, {"release": found.model.release, "sites": seen_sites()}
    if model.bundle_sha256 is None:
        return
    said = tuple(each.id for each in lineage.things if each.kind == "approval")
    precisions = [name for name, told in found.precisions.items() if told.startswith("yes")]
    lineage.add(
        Thing(
            id="bundle",
            kind="bundle",
            title=model.bundle_sha256[:12],
            detail=", ".join(["signed", "float32", *precisions]),
            layer=5,
            made_of=said or ("release",),
        )
    )
    _engines(lineage, hub().database.rows(MODELS["engines"], asked))
    rows = hub().database.rows(SQL["release_rollouts"], asked)
    told = [
        (row["id"], f"{row['state']}, {moment(row['created'])}", url_for("rollout.show", name=row["id"]))
        for row in rows
    ]
    sent = add_rollouts(lineage, told, layer=6)
    _at_work(lineage, found, sent or ("bundle",))


def _engines(lineage: Lineage, rows: list[Row]) -> None:
    by_target: dict[str, int] = {}
    for row in rows:
        by_target[row["target"]] = by_target.get(row["target"], 0) + 1
    for target, count in by_target.items():
        lineage.add(
            Thing(
                id=f"engine-{target}",
                kind="engine",
                title=target,
                detail=counted(count, "engine signed", "engines signed"),
                layer=6,
                made_of=("bundle",),
            )
        )


def _at_work(lineage: Lineage, found: Trace, sent: tuple[str, ...]) -> None:
    devices = reach.devices_seen(found.devices)
    if devices:
        lineage.add(
            Thing(
                id="devices",
                kind="devices",
                title=counted(len(devices), "device"),
                detail=f"run it: {some(devices, MOST_NAMED)}",
                url=url_for("model.show", **_place(found.model.release), _anchor="h-runs"),
                layer=7,
                made_of=sent,
            )
        )
    source = ("devices",) if devices else sent
    asked = {"release": found.model.release, "sites": seen_sites()}
    now = hub().database.row(MODELS["predicting"], asked) or {"machines": 0, "last": None}
    if now["machines"]:
        lineage.add(
            Thing(
                id="predictions",
                kind="predictions",
                title=counted(now["machines"], "machine"),
                detail=f"predicted for now, last {moment(now['last'])}",
                layer=8,
                made_of=source,
            )
        )
    _alarms(lineage, asked, source)


def _alarms(lineage: Lineage, asked: dict[str, Any], source: tuple[str, ...]) -> None:
    alarms = hub().database.rows(MODELS["alarms_raised"], asked | {"most": MOST_ALARMS})
    if not alarms:
        return
    said: dict[int, list[Label]] = {}
    for row in hub().database.rows(MODELS["verdicts"], {"machines": [each["machine"] for each in alarms]}):
        said.setdefault(row.pop("machine"), []).append(Label(**row))
    last = [_verdict(said.get(alarm["machine"], []), alarm) for alarm in alarms]
    most = "the newest " if len(alarms) == MOST_ALARMS else ""
    lineage.add(
        Thing(
            id="alarms",
            kind="alarms",
            title=f"{most}{counted(len(alarms), 'alarm')}",
            detail=judged(last),
            layer=8,
            made_of=source,
        )
    )


def _verdict(said: list[Label], alarm: Row) -> str:
    """The last word on an alarm; empty where nobody judged it."""
    found = verdicts.on_alarm(said, opened=alarm["opened"], use_case=alarm["use_case"])
    return str(found[-1].detail.get("verdict", "")) if found else ""


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


def _run(run: str, use_case: str, detail: str) -> Thing:
    url = url_for("model.use_case", use_case=use_case, _anchor="h-runs")
    return Thing(id=run, kind="run", title=run, detail=detail, url=url, layer=2, made_of=("dataset",))


def _release(release: str, run: str, state: str, *, here: bool = False) -> Thing:
    return Thing(
        id="release" if here else release,
        kind="release",
        title=release,
        detail=state,
        url=url_for("model.show", **_place(release)),
        layer=3,
        made_of=(run or "run",),
        here=here,
    )


def _place(release: str) -> dict[str, Any]:
    use_case, _, version = release.rpartition("/")
    return {"use_case": use_case, "version": int(version)}
