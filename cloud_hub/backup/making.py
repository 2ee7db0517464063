"""Making a backup of a hub that runs: one snapshot of the database first, then the files it speaks of.

That order is the promise. Every file a row names is on disk before the row is
committed, and is never changed after; so whatever the snapshot names is there
when it is copied. The newest timestamp of the TUF repository is copied before the
versions it refers to, for the same reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cloud_hub.backup import programs, sealing
from cloud_hub.backup.folder import Draft, drafted
from cloud_hub.errors import BackupError
from cloud_hub.store.database import Connection, Database, Row, load_queries
from wire.clock import Clock

SQL = load_queries("cloud_hub.backup")
DUMP = "database.dump"
FOLDERS = ("repository", "artifacts", "use_cases")
TIMESTAMP = "repository/metadata/timestamp.json"
OPENS_KEYS = "keys/passphrase"  # of the online keys; one that was moved elsewhere is in no backup
AUTHORITY = ("identity/ca/ca.key", "identity/ca/ca.crt")
CONFIG = "hub.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be backed up, and how."""

    state_dir: Path
    config_file: Path | None = None
    keys: bool = True
    passphrase: bytes | None = None  # seals the keys
    allow_missing: bool = False  # go on where a file that a row names is gone
    programs: Sequence[Path] = ()  # further places of pg_dump


def back_up(conninfo: str, destination: Path, wish: Wish, clock: Clock) -> Mapping[str, Any]:
    """Write the backup and return its manifest's fields; ``BackupError`` where it cannot be whole."""
    with drafted(destination) as draft:
        with _snapshot(conninfo) as (connection, snapshot):
            made, facts = clock.now(), _facts(connection)
            program = programs.find("pg_dump", least=facts["server"], folders=wish.programs)
            _dump(program, conninfo, snapshot, draft)
            named = connection.execute(SQL["files"]).fetchall()
            elsewhere = connection.execute(SQL["elsewhere"]).fetchone()
        _copy_files(draft, wish.state_dir)
        missing = _check(draft, named, allow=wish.allow_missing)
        keys = _copy_keys(draft, wish) if wish.keys else {"kept": "no"}
        fields = {
            "andon": metadata.version("andon"),
            "made": made.isoformat(),
            "clock": str(clock),
            "database": facts | {"dumped_by": program.major},
            "keys": keys,
            "missing": missing,
            "warnings": [*_warnings(program, facts["server"]), *_elsewhere(elsewhere)],
        }
        sizes = [entry.bytes for entry in draft.files.values()]
        draft.finish(fields)
    return fields | {"files": len(sizes), "bytes": sum(sizes)}


def _warnings(program: programs.Program, server: int) -> list[str]:
    if program.understood_by(server):
        return []
    return [
        f"taken by {program.path} {program.major} of a server {server}: it can be restored into PostgreSQL "
        f"{programs.TALKATIVE} or newer alone; postgresql-client-{server} makes one that can go back"
    ]


def _elsewhere(row: Row | None) -> list[str]:
    """What this backup cannot hold."""
    if row is None or not row["datasets"]:
        return []
    return [f"{row['datasets']} datasets lie at datasets_url and are not in it: back that place up too"]


@contextmanager
def _snapshot(conninfo: str) -> Iterator[tuple[Connection, str]]:
    """A transaction that sees one moment, and the name by which pg_dump sees the same one."""
    with Database(conninfo).connect() as connection:
        there = connection.execute(SQL["schema"]).fetchone()
        if there is None or not there["there"]:
            raise BackupError("the database holds no hub: there is nothing to back up")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot() AS name").fetchone()
        assert row is not None
        yield connection, str(row["name"])


def _facts(connection: Connection) -> Row:
    counts = connection.execute(SQL["counts"]).fetchone()
    head = connection.execute(SQL["audit_head"]).fetchone()
    timescale = connection.execute(SQL["timescaledb"]).fetchone()
    assert counts is not None
    newest = counts["newest_batch"]
    return {
        "server": connection.info.server_version // 10_000,
        "timescaledb": timescale["version"] if timescale else None,
        "migrations": [row["name"] for row in connection.execute(SQL["migrations"])],
        "devices": counts["devices"],
        "newest_batch": newest.isoformat() if newest else None,
        "audit_entries": counts["audit_entries"],
        "audit_head": head["head"] if head else None,
        "bytes": counts["bytes"],
    }


def _dump(program: programs.Program, conninfo: str, snapshot: str, draft: Draft) -> None:
    """Custom format, lightly compressed; who owned what at home means nothing elsewhere."""
    options = ["--format=custom", "--compress=1", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
    programs.run(program, [*options, f"--file={draft.folder / DUMP}"], conninfo)
    draft.adopt(DUMP)


def _copy_files(draft: Draft, state_dir: Path) -> None:
    if (state_dir / TIMESTAMP).exists():
        draft.copy(TIMESTAMP, state_dir / TIMESTAMP)
    for top in FOLDERS:
        for path in sorted((state_dir / top).rglob("*")):
            name = path.relative_to(state_dir).as_posix()
            if path.is_file() and not path.is_symlink() and not _passing(path) and name not in draft.files:
                draft.copy(name, path)
    for note in sorted((state_dir / "parts").glob("*-port")):  # devices know the hub by its ports
        draft.copy(f"parts/{note.name}", note)


def _passing(path: Path) -> bool:
    """Locks, and files on their way to another name."""
    return path.name == "lock" or path.name.endswith((".new", ".lock"))


def _check(draft: Draft, named: Sequence[Row], *, allow: bool) -> list[str]:
    """What rows speak of and the backup lacks; ``BackupError`` where that is not allowed."""
    lacking = []
    for row in named:
        entry = draft.files.get(row["path"])
        if entry is None:
            lacking.append(f"{row['path']} of {row['owner']} is gone")
        elif row["sha256"] is not None and entry.sha256 != row["sha256"]:
            lacking.append(f"{row['path']} of {row['owner']} was changed")
    if lacking and not allow:
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise BackupError(
            f"this backup would not be whole: {lacking[0]}{more}; bring it back, or say --allow-missing"
        )
    return lacking


def _copy_keys(draft: Draft, wish: Wish) -> dict[str, Any]:
    state_dir = wish.state_dir
    if not (state_dir / AUTHORITY[0]).exists():
        raise BackupError(
            f"no authority in {state_dir / 'identity'}: run this where `andon hub run` runs, "
            "or say --without-keys"
        )
    online = [f"keys/online/{path.name}" for path in sorted((state_dir / "keys" / "online").glob("*.pem"))]
    opening = [OPENS_KEYS] if (state_dir / OPENS_KEYS).is_file() else []
    files = {name: (state_dir / name).read_bytes() for name in (*AUTHORITY, *online, *opening)}
    if wish.config_file is not None and wish.config_file.is_file():
        files[CONFIG] = wish.config_file.read_bytes()  # it may hold the database's password
    packed = sealing.pack(files)
    if wish.passphrase is None:
        draft.write(sealing.PLAIN, packed)
    else:
        draft.write(sealing.SEALED, sealing.seal(packed, wish.passphrase))
    return {"kept": "plain" if wish.passphrase is None else "sealed", "online": bool(online)}
