"""Rollouts a page at a time: those that go on first, then the newest. Read-only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cloud_hub.rollout.members import SQL, Sites
from cloud_hub.rollout.states import COMMITTED, FAILURES, SILENT
from cloud_hub.store.database import Database

FILTERS = ("use_case", "state", "text")
STATES = ("running", "awaiting", "paused", "halted", "aborted", "undone", "done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    id: str
    use_case: str
    release: str
    state: str  # of STATES
    reason: str
    wave: int  # the newest open one
    waves: int
    devices: int
    states: dict[str, int]  # devices by where they stand
    created_by: str
    created: datetime

    @property
    def committed(self) -> int:
        return self.states.get(COMMITTED, 0)

    @property
    def failed(self) -> int:
        return sum(self.states.get(state, 0) for state in (*FAILURES, SILENT))


def page(
    database: Database, asked: Mapping[str, str], *, size: int, offset: int, sites: Sites = None
) -> list[Listed]:
    """Of those that match ``asked`` (of FILTERS, empty for any) and concern a device at ``sites``."""
    values = {name: asked.get(name, "") for name in FILTERS}
    rows = database.rows(SQL["list"], values | {"sites": sites, "size": size, "offset": offset})
    return [Listed(**row) for row in rows]


def counts(
    database: Database, asked: Mapping[str, str], *, sites: Sites = None
) -> tuple[dict[str, int], list[str]]:
    """How many match by state, whatever state is asked for; and the use cases that match at all."""
    found: dict[str, int] = {}
    rows = database.rows(SQL["list_counts"], {"text": asked.get("text", ""), "sites": sites})
    for row in rows:
        if asked.get("use_case", "") in ("", row["use_case"]):
            found[row["state"]] = found.get(row["state"], 0) + row["rollouts"]
    return found, sorted({row["use_case"] for row in rows})
