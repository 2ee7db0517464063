"""The outbox's file: opened with what survives power loss, set aside under a name when damaged.

WAL with ``synchronous=FULL`` syncs the log at every commit, so what was committed
is there after a power cut. A file SQLite cannot trust is kept for whoever wants
to look at it, never repaired in place.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from edge_agent.errors import OutboxError

LAYOUT = 1
BUSY_S = 10.0
_NAME = re.compile(r"^-- ([a-z_]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file that was set aside, and the positions that could still be read from it."""

    kept_as: Path
    reason: str
    positions: Mapping[str, int] = field(default_factory=dict)


def load_queries(file: str) -> Mapping[str, str]:
    """The named queries of an SQL file of this package."""
    _, *parts = _NAME.split(resources.files("edge_agent").joinpath(file).read_text(encoding="utf-8"))
    return MappingProxyType(dict(zip(parts[0::2], map(str.strip, parts[1::2]), strict=True)))


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time; transactions are explicit."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    return db


def open_file(path: Path) -> Damage | None:
    """Make ``path`` a sound outbox file; tell what became of a damaged one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    damage = None
    reason = _damage_of(path)
    if reason:
        positions = _salvaged_positions(path)
        damage = Damage(kept_as=_set_aside(path), reason=reason, positions=positions)
    with closing(connect(path, synchronous="FULL")) as db:
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        if layout == 0:
            db.executescript(f"BEGIN; {_schema()} PRAGMA user_version = {LAYOUT}; COMMIT;")
        elif layout != LAYOUT:
            raise OutboxError(
                f"{path}: expected outbox layout {LAYOUT}, got {layout}: it was written by another version"
            )
    return damage


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, also where the process dies in between."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _schema() -> str:
    return resources.files("edge_agent").joinpath("outbox_schema.sql").read_text(encoding="utf-8")


def _damage_of(path: Path) -> str:
    """Why SQLite does not trust the file; empty for a sound or a missing one."""
    if not path.exists():
        return ""
    try:
        with closing(connect(path, synchronous="FULL")) as db:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise OutboxError(f"{path} cannot be opened: {error}") from error
        return str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else str(found)


def _salvaged_positions(path: Path) -> Mapping[str, int]:
    """Positions decide whether a replayable source counts twice, so a damaged file is asked for them too."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_S)) as db:
            return dict(db.execute("SELECT source, position FROM position"))
    except sqlite3.DatabaseError:
        return {}


def _set_aside(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(kept)
    for tail in ("-wal", "-shm"):
        beside = path.with_name(path.name + tail)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + tail))
    return kept
