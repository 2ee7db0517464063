"""Devices: who needs someone first, what each runs, what it reported, what of it could not be kept."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cloud_hub.console import reach
from cloud_hub.console.api import machines, paging
from cloud_hub.console.api.asked import Text
from cloud_hub.console.api.machines import GapTold
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import SQL as CONSOLE
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.identity import endings
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.rollout import read
from cloud_hub.store import device_list, fleet
from cloud_hub.store.device_list import Running
from cloud_hub.store.epochs import from_store
from cloud_hub.store.fleet import RunningRelease

State = Literal["offline", "behind", "not enrolled", "online", "retired"]


class DevicesAsked(Paging):
    """Without a state: those in service."""

    site: Text = ""
    profile: Text = ""
    version: Text = ""
    state: State | None = None
    text: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDevice:
    """``unsettled``: batches beyond the last one that is settled. Certificates end in real time."""

    name: str
    site: str
    zone: str
    state: State
    profile: str
    agent_version: str | None
    status_since: datetime | None
    status_reason: str
    last_batch: datetime | None
    last_live: datetime | None
    skew_s: float | None
    rejected: int
    enrolled: datetime | None
    retired: datetime | None
    machines: int
    unsettled: int
    certificate_ends: datetime | None
    certificate_warning: str
    runs: tuple[Running, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """How far one epoch of a device (a 64-bit number, as text) is settled."""

    epoch: str
    mark: int
    highest: int
    floor: int
    resent: int
    unsettled: int
    opened: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """What was not stored of a device's messages, for one reason."""

    reason: str
    count: int
    waiting: int
    last: datetime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTold:
    """One device; ``pins`` are use cases for which it stays on what it runs, each with the reason."""

    name: str
    site: str
    zone: str
    profile: str
    tags: tuple[str, ...]
    added: datetime
    enrolled: datetime | None
    retired: datetime | None
    online: bool
    status_since: datetime | None
    status_reason: str
    born: datetime | None
    agent_version: str | None
    target: str | None
    last_batch: datetime | None
    last_live: datetime | None
    skew_s: float | None
    rejected: int
    machines: tuple[str, ...]
    resent: int
    backlog: int
    gaps: int
    quarantined: int
    releases: tuple[RunningRelease, ...]
    certificate_ends: datetime | None
    certificate_warning: str
    pins: dict[str, str]
    outboxes: tuple[Outbox, ...]
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTold:
    """One line of a device's update journal."""

    time: datetime
    use_case: str
    release: str
    state: str
    event: str
    reason: str
    rollout: str
    directive_sequence: int
    evidence: dict[str, Any]


@operation("GET", "/devices", Permission.SEE)
def devices(query: DevicesAsked) -> Page[ListedDevice]:
    """Devices, those that need someone first."""
    database, sites = hub().database, seen_sites()
    asked = {name: getattr(query, name) for name in device_list.FILTERS}
    states = (query.state,) if query.state else device_list.IN_SERVICE
    counts = device_list.counts(database, asked, sites=sites)
    rows = device_list.page(database, asked, states=states, size=query.size, offset=query.offset, sites=sites)
    now = datetime.now(UTC)  # certificates end in real time
    items = [ListedDevice(**_fields(each), certificate_warning=endings.warning(each, now)) for each in rows]
    return paging.told(query, items, sum(counts.get(state, 0) for state in states))


@operation("GET", "/devices/<name>", Permission.SEE, of=reach.device)
def device(name: str) -> DeviceTold:
    """One device: health, what it runs, how far its outboxes are settled, what was not stored."""
    database = hub().database
    found = fleet.device(database, name)
    told = _fields(found)
    outboxes = database.rows(CONSOLE["epochs"], {"device": name})
    return DeviceTold(
        **told | {"tags": tuple(found.tags), "machines": tuple(found.machines)},
        certificate_warning=endings.warning(found, datetime.now(UTC)),
        outboxes=tuple(Outbox(**row | {"epoch": str(from_store(row["epoch"]))}) for row in outboxes),
        rejections=tuple(Rejection(**row) for row in read.rejections(database, name)),
    )


@operation("GET", "/devices/<name>/journal", Permission.SEE, of=reach.device)
def device_journal(name: str, query: Paging) -> Page[ReportTold]:
    """What a device reported about its updates, newest first."""
    return paging.looked_up(query, read.SQL["reports"], {"device": name}, lambda row: ReportTold(**row))


@operation("GET", "/devices/<name>/gaps", Permission.SEE, of=reach.device)
def device_gaps(name: str, query: Paging) -> Page[GapTold]:
    """What of a device could not be kept, newest first."""
    return paging.looked_up(query, fleet.QUERIES["gaps"], {"device": name, "machine": None}, machines.gap)


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a value, those within it as they are."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
