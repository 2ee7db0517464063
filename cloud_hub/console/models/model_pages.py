"""Models: what each use case runs, what wants to replace it, and where a number comes from."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept, listing
from cloud_hub.console.gate import needs
from cloud_hub.console.here import SQL, caller, hub, seen_sites
from cloud_hub.console.models import card_view, lineage_view, model_view
from cloud_hub.console.models.model_view import SQL as MODELS
from cloud_hub.errors import NotFoundError
from cloud_hub.flows.approving import Outlook, outlook
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.monitor.triggers import SQL as TRIGGERS
from cloud_hub.registry.models import SQL as REGISTRY
from cloud_hub.registry.models import Registry
from cloud_hub.registry.trace import Trace, trace
from cloud_hub.store.database import Row
from models import use_case as use_cases
from models.errors import ModelError
from models.use_case import UseCase

MOST_RUNS = 12
MOST_DEVICES = 24  # told one by one
MOST_DRAWN = 100  # versions in the chart of figures
MOST_ALIASED = 500

pages = Blueprint("model", __name__, url_prefix="/models")


@pages.get("")
@needs(Permission.SEE)
def index() -> ResponseReturnValue:
    """Every use case: its champion, what wants to replace it, and what is being trained."""
    database, asked = hub().database, {"use_case": None, "sites": seen_sites()}
    aliased = _versions(None, aliased=True, most=MOST_ALIASED)
    named = {row["use_case"]: row["versions"] for row in database.rows(MODELS["named"])}
    declared = use_cases.names(hub().config.use_cases)
    return render_template(
        "models.html",
        use_cases=[
            {"name": name, "versions": named.get(name, 0)} | _declared(name) | _named(aliased, name)
            for name in sorted({*named, *declared})
        ],
        running=_by(database.rows(MODELS["running"], asked), "release"),
        since=_by(database.rows(MODELS["crowned"], asked), "use_case"),
        checks=_by(database.rows(MODELS["newest_checks"]), "use_case"),
        runs=database.rows(MODELS["at_work"], {"most": MOST_RUNS}),
    )


@pages.get("/<use_case>")
@needs(Permission.SEE)
def use_case(use_case: str) -> ResponseReturnValue:
    """One use case: champion, candidate and what it lacks, runs, versions, triggers."""
    database, asked = hub().database, {"use_case": use_case, "sites": seen_sites()}
    counted = database.row(MODELS["counted"], asked) or {"versions": 0}
    newest = {"use_case": use_case, "state": None, "size": MOST_RUNS, "offset": 0}
    runs = database.rows(REGISTRY["runs"], newest)
    declared = _declared(use_case)
    if not (counted["versions"] or runs or declared["declared"]):
        raise NotFoundError("use case", use_case)
    listing.asked((), {})
    part = listing.Part(asked=listing.page_number(), total=counted["versions"])
    drawn = _versions(use_case, most=MOST_DRAWN)
    named = _named(_versions(use_case, aliased=True, most=2), use_case)
    return render_template(
        "use_case.html",
        name=use_case,
        again=kept.AGAIN if kept.shown() else "",
        **declared,
        **named,
        versions=_versions(use_case, most=part.size, offset=part.offset),
        part=part,
        link=listing.link,
        drawn=[_drawn(row) for row in reversed(drawn) if row["figure"]],
        running=_by(database.rows(MODELS["running"], asked), "release"),
        since=_by(database.rows(MODELS["crowned"], asked), "use_case"),
        runs=runs,
        error_of=model_view.error_of,
        checks=[
            row | {"held": model_view.without_rollouts(row["held"])}
            for row in database.rows(TRIGGERS["checks"], {"use_case": use_case})
        ],
        **_waiting(named["champion"], named["candidate"], drawn),
    )


@pages.get("/<use_case>/<int:version>")
@needs(Permission.SEE)
def show(use_case: str, version: int) -> ResponseReturnValue:
    found = traced(use_case, version)
    stands = stands_of(found)
    failure = model_view.failure_of(found)
    return render_template(
        "model.html",
        trace=found,
        model=found.model,
        source=found.source,
        gate=found.model.gate,
        reason=model_view.reason_of(found.model.gate),
        checks=model_view.checks_of(found.model.gate),
        aliases=found.aliases,
        stands=stands,
        failure=failure,
        steps=model_view.steps(found, stands, failure=failure),
        champion=champion_of(use_case),
        predicting=hub().database.row(
            MODELS["predicting"], {"release": found.model.release, "sites": seen_sites()}
        ),
        rollouts=hub().database.rows(
            SQL["release_rollouts"], {"release": found.model.release, "sites": seen_sites()}
        ),
        devices=hub().database.rows(
            MODELS["devices_of"],
            {"release": found.model.release, "sites": seen_sites(), "most": MOST_DEVICES},
        ),
    )


@pages.get("/<use_case>/<int:version>/card")
@needs(Permission.SEE)
def card(use_case: str, version: int) -> ResponseReturnValue:
    """Everything that explains a version to whoever must trust it."""
    found, declared = traced(use_case, version), _declared(use_case)
    title = declared["declared"].title if declared["declared"] else ""
    told = {"model": found.model, "title": title, "predicts": declared["predicts"]}
    return render_template("card.html", **told, **card_view.facts(found))


@pages.get("/<use_case>/<int:version>/card.html")
@needs(Permission.SEE)
def card_file(use_case: str, version: int) -> ResponseReturnValue:
    """The card as it travels with the release: to be kept, never shown here, where its style may not act."""
    found = traced(use_case, version)
    text = card_view.signed_card(found)
    if not text:
        raise NotFoundError("card of a signed bundle of", found.model.release)
    name = f"{use_case}-{version}-card.html"
    kept_as = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(text, mimetype="text/html", headers=kept_as)


@pages.get("/lineage/dataset/<digest>")
@needs(Permission.SEE)
def dataset(digest: str) -> ResponseReturnValue:
    """What a dataset holds and what was made of it; ``digest`` is its hash, or its name."""
    found = lineage_view.of_dataset(digest)
    return render_template("lineage.html", **found)


def traced(use_case: str, version: int) -> Trace:
    registry = Registry(hub().database, hub().artifacts, hub().clock)
    return trace(registry, f"{use_case}/{version}", counted=False)


def stands_of(found: Trace) -> Outlook | None:
    """Where it stands with people's word; None where its use case is gone, and nobody can tell the rule."""
    try:
        return outlook(hub(), found.model.release, person=caller().name)
    except ModelError:
        return None


def champion_of(use_case: str) -> str | None:
    """The release that is the champion now."""
    row = hub().database.row(REGISTRY["aliased"], {"use_case": use_case, "name": "champion"})
    return row["release"] if row else None


def _versions(
    use_case: str | None, *, aliased: bool = False, most: int, offset: int = 0
) -> list[dict[str, Any]]:
    asked = {"use_case": use_case, "aliased": aliased, "most": most, "offset": offset}
    return [model_view.shown(row) for row in hub().database.rows(MODELS["versions"], asked)]


def _by(rows: Iterable[Row], name: str) -> dict[str, Row]:
    return {row[name]: row for row in rows}


def _declared(name: str) -> dict[str, Any]:
    """Its declaration and what that tells; or why it cannot be read, which a list must outlive."""
    try:
        found: UseCase | None = use_cases.find(name, hub().config.use_cases)
        objection = ""
    except ModelError as error:
        found, objection = None, str(error)
    predicts = model_view.predicts(found) if found else ""
    known = name in use_cases.names(hub().config.use_cases)
    return {
        "declared": found,
        "predicts": predicts,
        "objection": objection if known else "Its declaration is gone: what was made of it stays.",
    }


def _named(rows: Iterable[Mapping[str, Any]], use_case: str) -> dict[str, Any]:
    """The champion of a use case and its candidate, each a version or None."""
    own = [row for row in rows if row["use_case"] == use_case]
    return {
        alias: next((row for row in own if alias in row["aliases"]), None)
        for alias in ("champion", "candidate")
    }


def _waiting(champion: Row | None, candidate: Row | None, newest: list[dict[str, Any]]) -> dict[str, Any]:
    """The version that wants to be champion, with what it lacks: the candidate, else what came after."""
    behind = champion["version"] if champion else 0
    row = candidate if candidate and candidate["version"] > behind else None
    if row is None and newest and newest[0]["version"] > behind and newest[0]["state"] != "removed":
        row = newest[0]
    if row is None:
        return {"waiting": None, "steps": []}
    found = traced(row["use_case"], row["version"])
    failure = model_view.failure_of(found)
    return {"waiting": row, "steps": model_view.steps(found, stands_of(found), failure=failure)}


def _drawn(row: Mapping[str, Any]) -> dict[str, Any]:
    """A point of the chart of figures."""
    figure = row["figure"]
    told = {"version": row["version"], "value": figure["value"], "baseline": row["baseline"]}
    word = f"refused by {row['refused_by']}" if row["refused_by"] else row["state"]
    return told | {
        "name": figure["name"],
        "unit": figure["unit"],
        "state": ", ".join([word, *row["aliases"]]),
    }
