"""The plant at a glance: its sites, what is wrong now, what happened, and anything by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from cloud_hub.console.api import machines, paging
from cloud_hub.console.api.asked import DIGITS, PLAIN, Query, Text, WrittenMoment
from cloud_hub.console.api.machines import AlarmTold
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import fleet, plant, search
from cloud_hub.store.database import load_queries
from cloud_hub.store.fleet import Event, Incident
from cloud_hub.store.plant import Site
from cloud_hub.store.search import Hit

SQL = load_queries("cloud_hub.console.api", "plant.sql")
MOST_EVENTS = 500

Which = Literal["all", "open", "closed"]


class AlarmsAsked(Paging):
    which: Which = "all"
    site: Text = ""
    use_case: Text = ""


class IncidentsAsked(Paging):
    which: Which = "open"
    kind: Text = ""
    site: Text = ""


class EventsAsked(Query):
    since: Annotated[WrittenMoment | None, Field(description="With its offset; none: the newest.")] = None
    most: Annotated[int, Field(ge=1, le=MOST_EVENTS), DIGITS] = 100


class SearchAsked(Query):
    text: Annotated[
        str,
        StringConstraints(min_length=1, max_length=search.LONGEST, pattern=PLAIN),
        Field(description="How a name begins, in any case."),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    sites: tuple[Site, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """``kind`` is alarm, alarm-closed, report or incident."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """At most eight of each kind; ``gone``: it is there to be looked at."""

    hits: tuple[Hit, ...]


@operation("GET", "/sites", Permission.SEE)
def sites() -> Sites:
    """The sites that the caller may see, with their devices in service."""
    return Sites(sites=tuple(plant.sites(hub().database, sites=seen_sites())))


@operation("GET", "/alarms", Permission.SEE)
def alarms(query: AlarmsAsked) -> Page[AlarmTold]:
    """Alarms of every machine, newest first."""
    values = {"machine": None, "which": query.which, "site": query.site, "use_case": query.use_case}
    return paging.looked_up(
        query, machines.SQL["alarms"], values | {"sites": seen_sites()}, lambda row: AlarmTold(**row)
    )


@operation("GET", "/incidents", Permission.SEE)
def incidents(query: IncidentsAsked) -> Page[Incident]:
    """What is wrong now with devices or the hub, or was, newest first."""
    values = {"which": query.which, "kind": query.kind, "site": query.site, "sites": seen_sites()}
    return paging.looked_up(query, SQL["incidents"], values, _incident)


@operation("GET", "/events", Permission.SEE)
def happened(query: EventsAsked) -> Events:
    """What happened, newest first: alarms, update reports, incidents.

    Each stands at its own time, of an alarm or a report the device's: one that was away tells hours later.
    So ask again with a ``since`` that lies as far back as devices are away, and pass over what is known.
    """
    found = fleet.events(hub().database, query.since, most=query.most, sites=seen_sites())
    return Events(events=tuple(found))


@operation("GET", "/search", Permission.SEE)
def find(query: SearchAsked) -> Hits:
    """Machines, devices, sites, use cases, releases and rollouts by the beginning of their names."""
    text = " ".join(query.text.split())
    return Hits(hits=tuple(search.search(hub().database, text, sites=seen_sites())))


def _incident(row: Mapping[str, Any]) -> Incident:
    return Incident(**row)
