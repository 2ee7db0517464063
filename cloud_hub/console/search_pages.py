"""One box on every page that jumps to anything by the beginning of its name."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import search
from cloud_hub.store.search import Hit

PLACES = {"machine": "machine.show", "device": "device.show", "rollout": "rollout.show"}
PLURALS = {
    "machine": "Machines",
    "device": "Devices",
    "site": "Sites",
    "use case": "Use cases",
    "release": "Releases",
    "rollout": "Rollouts",
}

pages = Blueprint("search", __name__)


@pages.get("/search")
@needs(Permission.SEE)
def show() -> ResponseReturnValue:
    """What was found; the only thing that is called exactly so is jumped to."""
    text, hits = _found()
    exact = [hit for hit in hits if hit.name.lower() == text.lower()]
    if len(exact) == 1:
        return redirect(place(exact[0]), 303)
    return render_template("search.html", text=text, hits=_grouped(hits), most=search.MOST, plurals=PLURALS)


@pages.get("/search/hits")
@needs(Permission.SEE)
def hits() -> ResponseReturnValue:
    """The same for the box, while somebody types."""
    text, found = _found()
    return render_template(
        "search_hits.html", text=text, hits=_grouped(found), most=search.MOST, plurals=PLURALS
    )


def place(hit: Hit) -> str:
    if hit.kind == "site":
        return url_for("fleet.show", site=hit.name)
    if hit.kind == "release":
        use_case, _, version = hit.name.rpartition("/")
        return url_for("model.show", use_case=use_case, version=int(version))
    if hit.kind == "use case":
        return url_for("model.use_case", use_case=hit.name)
    return url_for(PLACES[hit.kind], name=hit.name)


def _found() -> tuple[str, list[Hit]]:
    text = " ".join(request.args.get("text", "").split())
    return text, search.search(hub().database, text, sites=seen_sites())


def _grouped(hits: list[Hit]) -> dict[str, list[tuple[Hit, str]]]:
    by_kind: dict[str, list[tuple[Hit, str]]] = {}
    for hit in hits:
        by_kind.setdefault(hit.kind, []).append((hit, place(hit)))
    return by_kind
