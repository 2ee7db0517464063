"""Two versions of a use case side by side; which ones stands in the link, so that it can be sent on."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub
from cloud_hub.console.models import comparison, differing, model_view
from cloud_hub.console.models.model_pages import champion_of, traced
from cloud_hub.console.models.model_view import SQL as MODELS
from cloud_hub.errors import ConflictError, HubError, NotFoundError
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.registry.trace import Trace
from cloud_hub.training import comparing

MOST_OFFERED = 200  # versions to choose from
MOST_MACHINES = 100  # told one by one
LARGEST = 10**9

pages = Blueprint("comparison", __name__, url_prefix="/models/<use_case>/compare")


@pages.get("")
@needs(Permission.SEE)
def show(use_case: str) -> ResponseReturnValue:
    """The two that the link names; without them, the newest against the champion."""
    asked = {"use_case": use_case, "aliased": False, "most": MOST_OFFERED, "offset": 0}
    offered = hub().database.rows(MODELS["versions"], asked)
    if not offered:
        raise NotFoundError("model of the use case", use_case)
    chosen = {side: request.args.get(side, "").strip()[:40] for side in ("left", "right")}
    champion = champion_of(use_case)
    chosen["left"] = chosen["left"] or str(offered[0]["version"])
    chosen["right"] = chosen["right"] or str(champion or offered[-1]["release"]).rpartition("/")[2]
    page = {"use_case": use_case, "offered": offered, "chosen": chosen, "champion": champion}
    try:
        left, right = (_traced(use_case, chosen[side]) for side in ("left", "right"))
    except (NotFoundError, ConflictError) as error:
        status = 404 if isinstance(error, NotFoundError) else 400
        objection = f"There is {error}." if status == 404 else f"Nothing is compared: {error}."
        return render_template("compare.html", **page, objection=objection, left=None), status
    return render_template(
        "compare.html", **page, objection="", left=left, right=right, **_found(left, right)
    )


def _traced(use_case: str, text: str) -> Trace:
    if not (text.isascii() and text.isdecimal() and int(text) < LARGEST):
        raise ConflictError(f"expected the number of a version, got {text!r}")
    return traced(use_case, int(text))


def _found(left: Trace, right: Trace) -> dict[str, Any]:
    """What the page tells of the two; where evidence cannot hold them against each other, why not."""
    machines = {*left.source.rows_by_machine, *right.source.rows_by_machine}
    hidden = sorted(machines - {*reach.machines_seen(machines)})
    told: dict[str, Any] = {"differences": differing.differences(left, right, hidden)}
    told |= {"verdict": "", "why_not": "", "figures": [], "by_machine": [], "unseen": 0}
    if left.model.release == right.model.release:
        return told | {"why_not": "Both sides are the same version: choose another for one of them."}
    try:
        found = comparing.compare(left.model, right.model)
    except HubError as error:
        return told | {"why_not": f"They cannot be held against each other: {error}."}
    seen = {*reach.machines_seen(found.losses)}
    rows = [(name, *pair) for name, pair in found.losses.items() if name in seen]
    rows.sort(key=lambda row: row[1] - row[2])
    return told | {
        "verdict": comparison.verdict(found),
        "figures": comparison.figures(found, model_view.unseen_slices(found.slices)),
        "by_machine": rows[:MOST_MACHINES],
        "unseen": len(found.losses) - len(rows[:MOST_MACHINES]),
        "unit": found.unit,
        "figure_name": found.figure,
    }
