"""The outbox's file: opened with what survives power loss, set aside under a name when damaged.

WAL with ``synchronous=FULL`` syncs the log at every commit, so what was committed
is there after a power cut. A file SQLite cannot trust is kept for whoever wants
to look at it, never repaired in place. One of an older layout is taken over in
small steps, for a device may have queued as much as its disk held.
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from edge_agent.errors import OutboxError

LAYOUT = 2
OLDEST_LAYOUT = 1
BUSY_S = 10.0
LOG_PAGES = 1500  # 6 MB: at this length of the log a commit itself moves it into the file
MOVED_AT_ONCE = 16  # batches of an older layout
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
UNREADABLE = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)
_NAME = re.compile(r"^-- ([a-z_0-9]+)$", re.MULTILINE)


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


SQL = load_queries("outbox.sql")


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time; transactions are explicit."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    db.execute("PRAGMA secure_delete = OFF")  # some builds overwrite what is deleted, at the price of a write
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
        if layout not in (0, OLDEST_LAYOUT, LAYOUT):
            raise OutboxError(
                f"{path}: expected outbox layout {LAYOUT}, got {layout}: it was written by another version"
            )
        if layout != LAYOUT:
            db.executescript(
                f"BEGIN; {_moving_aside(layout)} {_schema()} PRAGMA user_version = {LAYOUT}; COMMIT;"
            )
        if db.execute(SQL["reasons_missing"]).fetchone()[0]:
            db.execute(SQL["add_reasons"])
        _take_over(db)
    sync_folder(path.parent)
    return damage


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, also where the process dies in between."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def sync_folder(folder: Path) -> None:
    """Names are as durable as contents only once their folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _schema() -> str:
    return resources.files("edge_agent").joinpath("outbox_schema.sql").read_text(encoding="utf-8")


def _moving_aside(layout: int) -> str:
    return SQL["set_layout_1_aside"] if layout == OLDEST_LAYOUT else ""


def _take_over(db: sqlite3.Connection) -> None:
    """Move what waits in an older layout, oldest first; a crash in between is gone on with."""
    if not db.execute(SQL["unmoved"]).fetchone()[0]:
        return
    moved = MOVED_AT_ONCE
    while moved:
        with transaction(db):
            db.execute(SQL["move"], {"limit": MOVED_AT_ONCE})
            moved = db.execute(SQL["moved"], {"limit": MOVED_AT_ONCE}).rowcount
    db.execute(SQL["drop_layout_1"])


def _damage_of(path: Path) -> str:
    """Why SQLite does not trust the file; empty for a sound or a missing one."""
    if not path.exists():
        return ""
    try:
        with closing(connect(path, synchronous="FULL")) as db:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in DAMAGED and error.sqlite_errorcode not in UNREADABLE:
            raise  # a full disk, a missing right or another holder is no reason to give a sound file up
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
