"""The plant at a glance: which machine needs someone first, at which site, and how the devices are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import listing
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.console.plant import outlooks, risk
from cloud_hub.console.plant.ranking import Ranked, Ranking
from cloud_hub.console.plant.risk import Risk
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import fleet, plant
from cloud_hub.store.database import Database
from cloud_hub.store.fleet import Incident
from cloud_hub.store.plant import Site

FILTERS = ("site", "class", "state", "text")
MOST_INCIDENTS, MOST_EVENTS = 500, 12

pages = Blueprint("fleet", __name__)


@pages.get("/")
@needs(Permission.SEE)
def show() -> ResponseReturnValue:
    """Filtered and cut at the hub: a page is as large for two thousand machines as for fifty.

    Who asks for what changed is sent that part, and nothing where it would look the same.
    """
    asked = listing.asked(FILTERS, {"state": risk.STATES})
    number = listing.page_number()
    ranking: Ranking = current_app.extensions["ranking"]
    ranked, seen = ranking.ranked(), seen_sites()
    glance = ranked.glances.of((caller().rights, *asked.values(), number))
    values = glance.values(lambda: _view(ranked, asked, number, seen))
    if glance.is_shown:
        return "", 204
    template = "fleet_live.html" if "HX-Request" in request.headers else "fleet.html"
    return render_template(template, **values, part=glance.drawn("fleet_glance.html"), shown=glance.digest)


def _view(
    ranked: Ranked, asked: dict[str, str], number: int, seen: list[str] | None
) -> tuple[dict[str, Any], object]:
    """What the page shows, and of it what a reader would see to differ."""
    database = hub().database
    every = [each for each in ranked.risks if seen is None or each.machine.site in seen]
    here = [each for each in every if _matches(each, asked | {"state": ""})]
    at = [asked["site"]] if asked["site"] and (seen is None or asked["site"] in seen) else seen
    found = [each for each in here if asked["state"] in ("", each.state)]
    paging = listing.Part(asked=number, total=len(found))
    sites = [each for each in ranked.sites if seen is None or each.name in seen]
    machines = _shown(database, every, found[paging.offset : paging.last])
    view: dict[str, Any] = {
        "asked": asked,
        "paging_of": paging,
        "states": Counter(each.state for each in here),
        "state_names": risk.STATES,
        "total": len(every),
        "classes": sorted({each.machine.machine_class for each in every}),
        "sites": sites,
        "places": _places(sites, every),
        "incidents": _by_kind(fleet.incidents(database, most=MOST_INCIDENTS, sites=at)),
        "events": fleet.events(database, most=MOST_EVENTS, sites=at),
    }
    return view | {"machines": machines, "link": listing.link}, (view, [*map(_seen, machines)])


def _seen(row: Mapping[str, Any]) -> object:
    """Of a row: without what is not on the page and differs with every batch."""
    machine, judged = row["machine"], row["risk"]
    silent = (judged.silence, machine.last_batch) if judged.silence else ()
    named = (machine.name, machine.site, machine.machine_class, machine.open_alarms)
    return named, silent, judged.state, judged.meaning, row["outlook"], row["band"], row["spark"]


def _by_kind(incidents: Sequence[Incident]) -> dict[str, list[Incident]]:
    """The newest kind first: when a network fails, hundreds of devices say the same."""
    kinds: dict[str, list[Incident]] = {}
    for each in incidents:
        kinds.setdefault(each.kind, []).append(each)
    return kinds


def _matches(each: Risk, asked: Mapping[str, str]) -> bool:
    machine, text = each.machine, asked["text"].casefold()
    return (
        asked["site"] in ("", machine.site)
        and asked["class"] in ("", machine.machine_class)
        and asked["state"] in ("", each.state)
        and (text in machine.name.casefold() or text in machine.device.casefold())
    )


def _shown(database: Database, every: Sequence[Risk], on_page: Sequence[Risk]) -> list[dict[str, Any]]:
    """What a row needs beside its risk; bands are drawn against the longest life of the whole plant."""
    scales = outlooks.scales([each.machine for each in every])
    trends = plant.trends(database, [each.machine for each in on_page])
    return [
        {
            "risk": each,
            "machine": each.machine,
            "outlook": (outlook := each.machine.outlook),
            "band": outlooks.band(outlook, scales[outlook.use_case]) if outlook else None,
            "spark": outlooks.sparkline(trends.get(each.machine.name, ())),
        }
        for each in on_page
    ]


def _places(sites: Sequence[Site], every: Sequence[Risk]) -> list[dict[str, Any]]:
    """Sites with what their machines and devices need, the worst first."""
    states: dict[str, Counter[str]] = {}
    for each in every:
        states.setdefault(each.machine.site, Counter())[each.state] += 1
    told = [{"site": site, "states": states.get(site.name, Counter())} for site in sites]
    return sorted(told, key=lambda place: [-place["states"][state] for state in risk.STATES[:3]])
