"""Which releases there are to answer with: the champions, and whatever else was released.

Read in transactions that cannot write. The files are the public ones of the signed
repository; each is taken for what the registry noted when it was published, and for
nothing else, by its hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.store.database import Database, Row, load_queries
from wire.bundle import Bundle, file_sha256, read_bundle
from wire.errors import WireError

SQL = load_queries("cloud_hub.serving")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    release: str
    use_case: str
    file: Path
    sha256: str


def bundle_in(file: Path, entry: Entry) -> Bundle:
    """The bundle of ``entry`` in ``file``; ``ConflictError`` where it is not what was published."""
    try:
        found = file_sha256(file)
        if found != entry.sha256:
            raise ConflictError(
                f"{file}: expected SHA-256 {entry.sha256[:12]}, got {found[:12]}: "
                "restore the repository from a backup"
            )
        bundle = read_bundle(file)
    except (OSError, WireError) as error:
        raise ConflictError(f"the bundle of {entry.release} cannot be used: {error}") from error
    if bundle.manifest.release != entry.release:
        raise ConflictError(f"{file}: expected {entry.release}, got {bundle.manifest.release}")
    return bundle


class Catalogue(Protocol):
    def standing(self) -> Sequence[Entry]:
        """Those to keep ready, one a use case."""

    def find(self, release: str) -> Entry:
        """``NotFoundError`` where no such release may be asked for."""


class Registered:
    """What the registry of the hub knows; ``only`` these use cases (their champions) and releases."""

    def __init__(self, database: Database, state_dir: Path, only: Sequence[str] = ()) -> None:
        self._database = database
        self._targets = state_dir / "repository" / "targets"
        self._only = tuple(only)

    def standing(self) -> list[Entry]:
        champions = [self._entry(row) for row in self._read("champions")]
        if not self._only:
            return champions
        pinned = [self.find(name) for name in self._only if "/" in name]
        return [*(each for each in champions if each.use_case in self._only), *pinned]

    def find(self, release: str) -> Entry:
        rows = self._read("released", release=release) if self._may(release) else []
        if not rows:
            raise NotFoundError("release", release[:120])
        return self._entry(rows[0])

    def _may(self, release: str) -> bool:
        return not self._only or release in self._only or release.partition("/")[0] in self._only

    def _read(self, query: str, **values: Any) -> list[Row]:
        with self._database.transaction() as connection:
            connection.execute("SET TRANSACTION READ ONLY")
            return connection.execute(SQL[query], values).fetchall()

    def _entry(self, row: Row) -> Entry:
        """Where the repository keeps a target: its hash is part of the name."""
        folder, _, name = row["bundle_path"].rpartition("/")
        file = self._targets / folder / f"{row['bundle_sha256']}.{name}"
        return Entry(release=row["release"], use_case=row["use_case"], file=file, sha256=row["bundle_sha256"])
