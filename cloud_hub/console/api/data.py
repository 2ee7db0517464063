"""Datasets, quarantine, what was lost, and how much is stored.

A dataset holds rows of every site: what names a machine in it is for those who see every site.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from cloud_hub.console import dataset_view, reach
from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import DIGITS, Body, Moment, Nothing, Query, Text, WrittenMoment, refused
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.dataset import catalogue
from cloud_hub.dataset.catalogue import Listed
from cloud_hub.flows import replaying, snapshots
from cloud_hub.flows.snapshots import Snapshot
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import lost, quarantine, quarantine_list, storage
from cloud_hub.store.outgrowing import foresee
from cloud_hub.store.quarantine import Contents, Waiting
from models.errors import UseCaseError

NUMBER = "<int(min=1, max=9223372036854775807):name>"
MOST_DAYS = 366

State = Literal["waiting", "asked", "stored"]


class DatasetsAsked(Paging):
    use_case: Text = ""


class QuarantineAsked(Paging):
    reason: Text = ""
    device: Text = ""
    state: Annotated[State, Field(description="asked: another try is due.")] = "waiting"
    since: WrittenMoment | None = None


class LostAsked(Query):
    days: Annotated[int, Field(ge=1, le=MOST_DAYS, description="Up to now."), DIGITS] = 1


class DatasetWanted(Body):
    use_case: Text
    since: Annotated[Moment | None, Field(description="Older rows are left out; null: none.")] = None


class ReplayWanted(Body):
    reason: Text
    device: Annotated[Text | None, Field(description="Of this device alone; null: of every one.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntBy:
    run: str
    state: str
    created: datetime
    code: str
    release: str | None
    model_state: str | None
    released: datetime | None
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetTold:
    """``manifest`` and ``rows_by_machine`` name machines: null for whoever may not see every site."""

    id: str
    use_case: str
    hash: str
    rows: int
    machines: int
    failures: int  # lives that ended in one
    feature_set: str
    created: datetime
    learnt_by: tuple[LearntBy, ...]
    features: tuple[str, ...]
    rows_by_machine: dict[str, int] | None
    manifest: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    requests: tuple[Snapshot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedTold:
    """A message or part of one that was not stored, and why; device null: of nobody known."""

    id: int
    device: str | None
    site: str | None
    topic: str
    reason: str
    detail: str
    state: State
    bytes: int
    times: int
    received: datetime
    replay: datetime | None
    settled: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTold:
    """One message in quarantine; ``contents`` is null where its bytes cannot be read."""

    id: int
    device: str | None
    topic: str
    reason: str
    explanation: str
    detail: str
    epoch: str | None
    sequence: int | None
    bytes: int
    times: int
    received: datetime
    replay: datetime | None
    settled: datetime | None
    sha256: str
    contents: Contents | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    reasons: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """``changed``: how many messages another try was asked for that was not asked for yet."""

    waiting: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LostTold:
    site: str
    reason: str
    explanation: str
    gaps: int
    devices: int
    batches: int
    seconds: float
    last: datetime
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostLately:
    lost: tuple[LostTold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageTold:
    """By the database's own accounts: rows are estimates. Days are of the hub's clock."""

    bytes: int
    free_bytes: int | None
    full_in_days: float | None  # null: not before tables are as long as they are kept, or nobody knows
    tables: tuple[storage.Table, ...]
    others: tuple[storage.Other, ...]
    rollup_backlog: storage.Backlog
    capabilities: dict[str, str]
    retention: dict[str, Any]


@operation("GET", "/datasets", Permission.SEE)
def datasets(query: DatasetsAsked) -> Page[Listed]:
    """Datasets, newest first."""
    database = hub().database
    total = catalogue.count(database, query.use_case)
    found = catalogue.page(database, query.use_case, size=query.size, offset=query.offset)
    return paging.told(query, found, total)


@operation("GET", "/datasets/<digest>", Permission.SEE)
def dataset(digest: str) -> DatasetTold:
    """One dataset by its hash or id: what it holds, how good it is, and who learnt from it."""
    database, sees_all = hub().database, seen_sites() is None
    entry = catalogue.one(database, digest)
    made = catalogue.made_of(database, entry)
    features = dataset_view.features(entry.manifest, None)
    return DatasetTold(
        id=entry.id,
        use_case=entry.use_case,
        hash=entry.hash,
        rows=entry.rows,
        machines=entry.machines,
        failures=entry.lives,
        feature_set=entry.feature_set,
        created=entry.created,
        learnt_by=tuple(LearntBy(**row | {"aliases": tuple(row["aliases"] or ())}) for row in made),
        features=tuple(each["name"] for each in features),
        rows_by_machine=dict(entry.manifest.get("rows_by_machine") or {}) if sees_all else None,
        manifest=entry.manifest if sees_all else None,
    )


@operation("GET", "/dataset-requests", Permission.SEE)
def dataset_requests() -> Requests:
    """The datasets that were asked for last, and what became of them."""
    return Requests(requests=tuple(snapshots.newest(hub(), most=paging.LARGEST)))


@operation("POST", "/dataset-requests", Permission.DATA, status=202)
def make_dataset(body: DatasetWanted) -> Requested:
    """Ask for a dataset of what the store knows now; a job makes it.

    Refused while one of the use case is being made: sent twice, the second asks for nothing.
    """
    try:
        return Requested(
            number=snapshots.request(hub(), body.use_case, since=body.since, actor=caller().name)
        )
    except UseCaseError as error:
        raise refused("use_case", "a use case that is declared", body.use_case) from error


@operation("GET", "/quarantine", Permission.SEE)
def quarantined(query: QuarantineAsked) -> Page[QuarantinedTold]:
    """What could not be stored, newest first."""
    database, sites = hub().database, seen_sites()
    asked = {"reason": query.reason, "device": query.device, "state": query.state}
    total = quarantine_list.count(database, asked, since=query.since, sites=sites)
    found = quarantine_list.page(
        database, asked, size=query.size, offset=query.offset, since=query.since, sites=sites
    )
    names = QuarantinedTold.__dataclass_fields__
    told = [QuarantinedTold(**{name: getattr(each, name) for name in names}) for each in found]
    return paging.told(query, told, total)


@operation("GET", "/quarantine-reasons", Permission.SEE)
def quarantine_reasons() -> Reasons:
    """What waits in quarantine by reason, with what each means and what to do."""
    return Reasons(reasons=tuple(quarantine_list.reasons(hub().database, sites=seen_sites())))


@operation("GET", f"/quarantine/{NUMBER}", Permission.SEE, of=reach.quarantined)
def quarantined_message(name: int) -> MessageTold:
    """One message in quarantine: why, since when, and what its bytes hold as far as they can be read."""
    item, contents = quarantine.show(hub().database, name)
    told = {each: getattr(item, each) for each in MessageTold.__dataclass_fields__ if each != "contents"}
    epoch = None if item.epoch is None else str(item.epoch)
    return MessageTold(**told | {"epoch": epoch}, contents=contents)


@operation("POST", f"/quarantine/{NUMBER}/replay", Permission.DATA, of=reach.quarantined)
def replay(name: int, body: Nothing) -> Replayed:
    """Ask ingest to try a message again; asked again before it has, nothing changes."""
    del body
    return Replayed(waiting=1, changed=int(replaying.replay_one(hub(), name, actor=caller().name)))


@operation("POST", "/quarantine-replays", Permission.DATA)
def replay_reason(body: ReplayWanted) -> Replayed:
    """Ask ingest to try all again that wait for a reason, at most ten thousand at a time."""
    asked = replaying.replay_all(
        hub(), body.reason, device=body.device, actor=caller().name, most=replaying.MOST
    )
    return Replayed(waiting=len(asked.numbers), changed=asked.fresh)


@operation("GET", "/lost", Permission.SEE)
def lost_lately(query: LostAsked) -> LostLately:
    """What could not be kept lately, by site and reason, newest first."""
    since = hub().clock.now() - timedelta(days=query.days)
    names = LostTold.__dataclass_fields__
    return LostLately(
        lost=tuple(
            LostTold(**{name: getattr(each, name) for name in names})
            for each in lost.lately(hub().database, since, sites=seen_sites())
        )
    )


@operation("GET", "/storage", Permission.SEE)
def stored() -> StorageTold:
    """How much is stored of what, from when, for how long, and whether the disk lasts."""
    config, clock, database = hub().config.store, hub().clock, hub().database
    found, free = storage.look(database, config, clock), storage.free_bytes(database)
    outlook = foresee(found.tables, free, clock.now())
    return StorageTold(
        bytes=found.bytes,
        free_bytes=free,
        full_in_days=outlook.full_days if outlook else None,
        tables=found.tables,
        others=found.others,
        rollup_backlog=found.backlog,
        capabilities={name: each.value for name, each in found.capabilities.items()},
        retention=config.model_dump(),
    )
