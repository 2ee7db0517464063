"""The devices of a rollout a page at a time, how they failed, and what an act would do to them. Read-only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud_hub.rollout.states import FAILURES, SETTLED, SILENT
from cloud_hub.store.database import Database, load_queries

SQL = load_queries("cloud_hub.rollout", "members.sql")

FILTERS = ("wave", "state", "site", "text")
MOST_FAILURES = 30  # kinds of them
_FAILED = (*FAILURES, SILENT)

Sites = list[str] | None  # None: every site


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One device, where it stands, and the last thing it reported."""

    device: str
    site: str
    zone: str
    wave: int
    state: str
    reason: str
    sequence: int | None  # of its directive; None: not offered yet
    mode: str | None  # "install", or "undo" on its way back
    issued: datetime | None
    deadline: datetime | None  # without a final word by then it is silent
    previous: str | None  # the release it had before
    changed: datetime
    running: str | None  # the release it says it runs
    reported: str | None  # state, event, reason and evidence of its newest report
    event: str | None
    said: str | None
    evidence: dict[str, Any] | None
    reported_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Devices of a wave that ended the same way, and said the same."""

    wave: int
    state: str
    reason: str
    devices: int
    names: tuple[str, ...]  # a few


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Whom an act would concern, counted now."""

    waiting: int
    under_way: int
    committed: int
    back: tuple[tuple[str, int], ...]  # by the release that an undo sends them to
    stays: int  # were offered it, and cannot go back


def counts(
    database: Database, rollout: str, asked: Mapping[str, str], *, sites: Sites = None
) -> dict[str, int]:
    """By state, of the devices that match ``asked`` (of FILTERS, empty for any) but for their state."""
    found: dict[str, int] = {}
    for row in database.rows(SQL["counts"], _values(rollout, asked, sites)):
        found[row["state"]] = found.get(row["state"], 0) + row["devices"]
    return found


def page(
    database: Database,
    rollout: str,
    asked: Mapping[str, str],
    *,
    size: int | None,
    offset: int,
    sites: Sites = None,
) -> list[Member]:
    """``size`` devices (all, if None) from ``offset`` on: those that failed first, then by wave and name."""
    values = _values(rollout, asked, sites) | {"size": size, "offset": offset, "failures": list(_FAILED)}
    return [Member(**row) for row in database.rows(SQL["page"], values)]


def places(database: Database, rollout: str, *, sites: Sites = None) -> dict[str, str]:
    """The sites of its devices, each with its zone."""
    rows = database.rows(SQL["sites"], {"rollout": rollout, "sites": sites})
    return {row["name"]: row["zone"] for row in rows}


def waiting(database: Database, rollout: str, wave: int, *, sites: Sites = None) -> dict[str, int]:
    """Of the waves open so far, how many devices wait in each zone."""
    rows = database.rows(SQL["waiting_zones"], {"rollout": rollout, "wave": wave, "sites": sites})
    return {row["zone"]: row["devices"] for row in rows}


def failures(database: Database, rollout: str, *, sites: Sites = None) -> list[Failure]:
    wanted = {"rollout": rollout, "sites": sites, "failures": list(_FAILED), "most": MOST_FAILURES}
    rows = database.rows(SQL["failures"], wanted)
    return [Failure(**row | {"names": tuple(row["names"])}) for row in rows]


def effects(database: Database, rollout: str) -> Effects:
    """Of all its devices, wherever they are: an act concerns every one."""
    row = database.row(SQL["unsettled"], {"rollout": rollout, "settled": list(SETTLED)})
    assert row is not None
    ways = database.rows(SQL["way_back"], {"rollout": rollout})
    back = tuple((way["previous"], way["devices"]) for way in ways if way["previous"] is not None)
    return Effects(**row, back=back, stays=sum(way["devices"] for way in ways if way["previous"] is None))


def _values(rollout: str, asked: Mapping[str, str], sites: Sites) -> dict[str, Any]:
    told = {name: asked.get(name, "") for name in FILTERS}
    wave = int(told.pop("wave")) if told["wave"] else None
    return told | {"rollout": rollout, "sites": sites, "wave": wave}
