"""Devices a page at a time: who needs someone first, what each runs, and what runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud_hub.store.database import Database, load_queries

QUERIES = load_queries("cloud_hub.store", "device_list.sql")

STATES = ("offline", "behind", "not enrolled", "online", "retired")  # in the order in which they need someone
IN_SERVICE = STATES[:-1]
FILTERS = ("site", "profile", "version", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """``fell_back``: what answers instead of what the release was compiled for; empty where that does."""

    use_case: str
    release: str
    state: str
    fell_back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    name: str
    site: str
    zone: str  # IANA, of the site
    state: str  # of STATES
    profile: str
    agent_version: str | None
    status_since: datetime | None
    status_reason: str
    last_batch: datetime | None
    last_live: datetime | None  # when one came that was not written while the device was catching up
    skew_s: float | None
    rejected: int
    enrolled: datetime | None
    retired: datetime | None
    machines: int
    unsettled: int  # batches the hub has beyond the last one that it has settled
    certificate_ends: datetime | None  # real time
    runs: tuple[Running, ...]


def counts(database: Database, asked: Mapping[str, str], *, sites: list[str] | None = None) -> dict[str, int]:
    """By state, of the devices that match ``asked`` (of FILTERS, empty for any) at ``sites`` (None: all)."""
    rows = database.rows(QUERIES["counts"], _values(asked, sites))
    return {row["state"]: row["devices"] for row in rows}


def page(
    database: Database,
    asked: Mapping[str, str],
    *,
    states: Sequence[str],
    size: int,
    offset: int,
    sites: list[str] | None = None,
) -> list[Listed]:
    """``size`` devices from ``offset`` on, in the order of ``states`` and by name."""
    values = _values(asked, sites) | {"states": list(states), "size": size, "offset": offset}
    rows = database.rows(QUERIES["page"], values)
    return [Listed(**row | {"runs": tuple(Running(**each) for each in row["runs"])}) for row in rows]


def kinds(database: Database, *, sites: list[str] | None = None) -> tuple[list[str], list[str]]:
    """The profiles and the agent versions there are among devices in service."""
    row = database.row(QUERIES["kinds"], {"sites": sites}) or {"profiles": [], "versions": []}
    return row["profiles"], row["versions"]


def _values(asked: Mapping[str, str], sites: list[str] | None) -> dict[str, object]:
    return {name: asked.get(name, "") for name in FILTERS} | {"sites": sites}
