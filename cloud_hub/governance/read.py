"""The chain as people look through it, a page at a time: who did what, to what, in which trace, when."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from cloud_hub.store.database import Database, Row, load_queries

SQL = load_queries("cloud_hub.governance", "read.sql")
CHUNK = 1000  # entries of a file that are read together
BEHIND_ALL = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries; what is empty means any."""

    actor: str = ""
    action: str = ""
    subject: str = ""  # how it begins
    correlation: str = ""
    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_any(self) -> bool:
        return self == Wanted()

    @property
    def values(self) -> Mapping[str, object]:
        """For the queries; what a pattern means is taken literally."""
        plain = self.subject.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return asdict(self) | {"beginning": f"{plain}%"}


def count(database: Database, wanted: Wanted) -> int:
    """How many there are; of all, the number of the newest one says it, as ids have no holes."""
    if wanted.is_any:
        newest = database.row(SQL["newest"])
        return int(newest["id"]) if newest else 0
    row = database.row(SQL["count"], wanted.values) or {"entries": 0}
    return int(row["entries"])


def page(database: Database, wanted: Wanted, *, size: int, offset: int) -> list[Row]:
    """Entries, newest first."""
    return database.rows(SQL["page"], {**wanted.values, "size": size, "offset": offset})


def every(database: Database, wanted: Wanted, *, most: int) -> Iterator[Row]:
    """Entries with their hashes, newest first, read a few at a time; at most ``most``."""
    below, left = BEHIND_ALL, most
    while left > 0:
        asked = {**wanted.values, "below": below, "size": min(CHUNK, left)}
        rows = database.rows(SQL["below"], asked)
        yield from rows
        if len(rows) < CHUNK:
            return
        below, left = rows[-1]["id"], left - len(rows)


def actions(database: Database) -> list[str]:
    return [row["name"] for row in database.rows(SQL["actions"])]


def actors(database: Database) -> list[str]:
    return [row["name"] for row in database.rows(SQL["actors"])]
