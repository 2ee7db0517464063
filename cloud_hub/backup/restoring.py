"""Restoring a backup into an empty place: all is checked before anything is touched, and half is nothing.

The database comes in one transaction. The files come before it, under a marker
that keeps every process of the hub from starting until the restore is complete.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from cloud_hub.backup import programs, sealing
from cloud_hub.backup.folder import Found
from cloud_hub.backup.making import CONFIG, DUMP, FOLDERS, OPENS_KEYS, SQL
from cloud_hub.backup.marker import FILES, REPAIRS, begin, forget, stage_of
from cloud_hub.backup.timescale import restoring
from cloud_hub.errors import BackupError
from cloud_hub.files import copy_public, private_folder, write_private, write_public
from cloud_hub.store.database import Connection, Database
from cloud_hub.store.migrate import shipped

KEPT_CONFIG = "hub.toml.from-backup"
KEYS = ("identity/ca", "keys/online")
PUBLIC = ("identity/ca/ca.crt",)

Keys = Mapping[str, bytes]


def check(found: Found) -> None:
    """``BackupError`` unless every file is what the manifest says and this version knows the schema."""
    known = {migration.name for migration in shipped()}
    strange = [
        name
        for name in found.fields["database"]["migrations"]
        if name not in known and not name.startswith("procrastinate-")
    ]
    if strange:
        raise BackupError(
            f"the backup has migration {strange[-1]}, which this andon does not know: "
            f"install andon {found.fields.get('andon')} or newer"
        )
    found.check()
    if DUMP not in found.files:
        raise BackupError(f"{found.folder} has no {DUMP}: this backup is not whole")


def open_keys(found: Found, passphrase: bytes | None) -> Keys:
    """The keys in the backup; none where it was made without."""
    if sealing.PLAIN in found.files:
        return sealing.unpack(found.place(sealing.PLAIN).read_bytes())
    if sealing.SEALED not in found.files:
        return {}
    if passphrase is None:
        raise BackupError("the keys in this backup are sealed: name the passphrase by --passphrase-file")
    return sealing.unpack(sealing.unseal(found.place(sealing.SEALED).read_bytes(), passphrase))


def check_state(state_dir: Path, *, keys: bool) -> None:
    """``BackupError`` unless ``state_dir`` is empty; without ``keys`` in the backup they may be there."""
    if stage_of(state_dir) == FILES:
        _clear(state_dir, keys=keys)
    for top in (*FOLDERS, *(KEYS if keys else ())):
        place = state_dir / top
        if place.is_dir() and any(item.name != "lock" for item in place.iterdir()):
            raise BackupError(
                f"{place} is not empty: a backup is restored into an empty state directory alone; "
                "name another one in hub.toml, or move this one away"
            )
    if keys and (state_dir / OPENS_KEYS).exists():
        raise BackupError(f"{state_dir / OPENS_KEYS} is there already: move it away")


def check_database(conninfo: str) -> None:
    """``BackupError`` where the database holds anything, or somebody works with it."""
    with Database(conninfo).connect() as connection:
        row = connection.execute(SQL["relations"]).fetchone()
        if row is not None:
            raise BackupError(
                f"the database is not empty, it holds {row['name']}: a backup is restored into an empty one "
                "alone; make a new one and name it in database_url"
            )
        alone(connection)


def alone(connection: Connection) -> None:
    """``BackupError`` while others are connected: what they remember would be of another past."""
    row = connection.execute(SQL["others"]).fetchone()
    if row is not None and row["number"]:
        raise BackupError(
            f"{row['number']} other connections use this database: stop every process of the hub first, "
            "wherever it runs"
        )


def restore(found: Found, keys: Keys, state_dir: Path, conninfo: str, places: Sequence[Path]) -> None:
    """Files, then the database; after an error ``state_dir`` is as empty as it was."""
    program = _reader(found, conninfo, places)
    begin(state_dir, found.folder)
    try:
        _put_files(found, state_dir)
        _put_keys(keys, state_dir)
        _load(found, program, conninfo)
    except BaseException:
        _clear(state_dir, keys=bool(keys))
        forget(state_dir)
        raise
    begin(state_dir, found.folder, stage=REPAIRS)


def _reader(found: Found, conninfo: str, places: Sequence[Path]) -> programs.Program:
    dumped = found.fields["database"]
    with Database(conninfo).connect() as connection:
        server = connection.info.server_version // 10_000
    if server < dumped["server"]:
        raise BackupError(
            f"the backup is of PostgreSQL {dumped['server']}, this server is {server}: "
            f"restore into PostgreSQL {dumped['server']} or newer"
        )
    program = programs.find("pg_restore", least=max(server, dumped["dumped_by"]), folders=places)
    if not program.understood_by(server):
        raise BackupError(
            f"the backup was taken by pg_dump {dumped['dumped_by']} and has to be read by {program.path} "
            f"{program.major}, which this server of PostgreSQL {server} does not understand: "
            f"restore into PostgreSQL {programs.TALKATIVE} or newer"
        )
    return program


def _put_files(found: Found, state_dir: Path) -> None:
    for top in (*FOLDERS, "parts"):
        for name in found.below(top):
            place = state_dir / name
            place.parent.mkdir(parents=True, exist_ok=True)
            copy_public(found.place(name), place)


def _put_keys(keys: Keys, state_dir: Path) -> None:
    for name, content in keys.items():
        if name == CONFIG:
            _keep_config(content, state_dir)
            continue
        known = name == OPENS_KEYS or name.startswith(tuple(f"{folder}/" for folder in KEYS))
        if not known or ".." in name:
            raise BackupError(f"the packed keys hold {name!r}, which is no key of a hub")
        place = state_dir / name
        private_folder(place.parent)
        (write_public if name in PUBLIC else write_private)(place, content)


def _keep_config(content: bytes, state_dir: Path) -> None:
    """The configuration as it was, for a person to compare: this hub keeps its own."""
    now = state_dir / CONFIG
    if not now.exists() or now.read_bytes() != content:
        write_private(state_dir / KEPT_CONFIG, content)


def _load(found: Found, program: programs.Program, conninfo: str) -> None:
    timescale = found.fields["database"].get("timescaledb")
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    with restoring(conninfo, str(timescale)) if timescale else nullcontext():
        programs.run(program, [*options, found.place(DUMP)], conninfo)
    with Database(conninfo).connect() as connection:
        connection.execute("ANALYZE")


def _clear(state_dir: Path, *, keys: bool) -> None:
    """Remove what a restore that did not finish has put here: nothing else was here when it began."""
    for top in (*FOLDERS, *(KEYS if keys else ())):
        shutil.rmtree(state_dir / top, ignore_errors=True)
    for name in (KEPT_CONFIG, *((OPENS_KEYS,) if keys else ())):
        (state_dir / name).unlink(missing_ok=True)
