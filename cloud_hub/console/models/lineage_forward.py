"""What became of a release, as far as the caller may see it: from its bundle to verdicts on its alarms."""

from typing import Any

from flask import url_for

from cloud_hub.console.here import SQL, hub, seen_sites
from cloud_hub.console.models.lineage import Lineage, Thing, add_rollouts, counted, judged, place, some
from cloud_hub.console.models.model_view import SQL as MODELS
from cloud_hub.registry.trace import Trace
from cloud_hub.store import verdicts
from cloud_hub.store.database import Row
from cloud_hub.store.fleet import Label

MOST_ALARMS = 500  # looked at; what is older counts no more here
MOST_NAMED = 3  # devices, in a box


def add(lineage: Lineage, found: Trace) -> None:
    """Add what became of the release of ``found``: nothing before it is signed."""
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
        (row["id"], row["state"], url_for("rollout.show", name=row["id"]), row["created"]) for row in rows
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
    asked = {"release": found.model.release, "sites": seen_sites()}
    devices = hub().database.rows(MODELS["devices_of"], asked | {"most": MOST_NAMED})
    if devices:
        lineage.add(
            Thing(
                id="devices",
                kind="devices",
                title=counted(devices[0]["total"], "device"),
                detail=some([row["name"] for row in devices], devices[0]["total"]),
                url=url_for("model.show", **place(found.model.release), _anchor="h-runs"),
                layer=7,
                made_of=sent,
            )
        )
    source = ("devices",) if devices else sent
    now = hub().database.row(MODELS["predicting"], asked) or {"machines": 0, "last": None}
    if now["machines"]:
        lineage.add(
            Thing(
                id="predictions",
                kind="predictions",
                title=counted(now["machines"], "machine"),
                detail="newest prediction",
                time=now["last"],
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
    judging = {"machines": sorted({each["machine"] for each in alarms}), "since": alarms[-1]["opened"]}
    for row in hub().database.rows(MODELS["verdicts"], judging):
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
