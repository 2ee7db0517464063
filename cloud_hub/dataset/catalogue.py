"""Datasets as they are looked up: by pages, one by its hash, and what became of it.

Reads what the database knows of them and opens no file: pages of the console need neither
Arrow nor compiled kernels, and answer at once however large a dataset is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud_hub.errors import NotFoundError
from cloud_hub.store.database import Database, Row, load_queries

SQL = load_queries("cloud_hub.dataset", "catalogue.sql")
MADE_OF = load_queries("cloud_hub.dataset")["made_of"]
MOST_OTHERS = 50  # to compare with


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    id: str  # "<use case>-<first 12 of the hash>"
    use_case: str
    hash: str
    rows: int
    machines: int
    lives: int  # that ended in a failure
    feature_set: str
    created: datetime
    warnings: int
    runs: int  # that learnt from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One dataset; its manifest as it was written, which in an older one says less."""

    id: str
    use_case: str
    hash: str
    rows: int
    machines: int
    lives: int
    feature_set: str
    manifest: dict[str, Any]
    created: datetime
    path: str  # as the database keeps it


def count(database: Database, use_case: str = "") -> int:
    """How many there are of ``use_case``; empty for any."""
    row = database.row(SQL["count"], {"use_case": use_case})
    return row["datasets"] if row else 0


def page(database: Database, use_case: str = "", *, size: int, offset: int) -> list[Listed]:
    """``size`` of them from ``offset`` on, newest first."""
    values = {"use_case": use_case, "size": size, "offset": offset}
    return [Listed(**row) for row in database.rows(SQL["page"], values)]


def use_cases(database: Database) -> list[str]:
    """Those that have datasets."""
    return [row["name"] for row in database.rows(SQL["use_cases"])]


def one(database: Database, name: str) -> Entry:
    """By hash or id; ``NotFoundError`` where there is none."""
    row = database.row(SQL["one"], {"name": name})
    if row is None:
        raise NotFoundError("dataset", name)
    return Entry(**row)


def others(database: Database, entry: Entry) -> list[Row]:
    """What it may be compared with: id and time of the newest of the same use case."""
    return database.rows(SQL["others"], {"use_case": entry.use_case, "id": entry.id, "most": MOST_OTHERS})


def made_of(database: Database, entry: Entry) -> list[Row]:
    """The runs that learnt from it, oldest first, each with the release it made, or None."""
    return database.rows(MADE_OF, {"dataset": entry.id})
