"""Datasets, what was lost, and how much is stored.

A dataset holds rows of every site: what names a machine in it is for those who see every site.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import DIGITS, Body, Moment, Query, Text, refused
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.data import dataset_view
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.console.models import model_view
from cloud_hub.dataset import catalogue
from cloud_hub.dataset.catalogue import Listed
from cloud_hub.flows import snapshots
from cloud_hub.flows.snapshots import Snapshot
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import lost, storage
from cloud_hub.store.outgrowing import foresee
from models.errors import UseCaseError

MOST_DAYS = 366


class DatasetsAsked(Paging):
    use_case: Text = ""


class LostAsked(Query):
    days: Annotated[int, Field(ge=1, le=MOST_DAYS, description="Up to now."), DIGITS] = 1


class DatasetWanted(Body):
    use_case: Text
    since: Annotated[Moment | None, Field(description="Older rows are left out; null: none.")] = None


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
    """The datasets that were asked for last, and what became of them.

    Why one failed may name machines: it is for those who see every site.
    """
    found = snapshots.newest(hub(), most=paging.LARGEST)
    return Requests(requests=tuple(replace(each, error=model_view.error_of(each.error)) for each in found))


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
