"""The metadata files of the repository: what is in force is what the newest root and the timestamp lead to.

Every version but the timestamp has a name of its own (consistent snapshots), so
files that nothing leads to yet, or no more, do no harm.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Delegations, Metadata, MetaFile, Role, Root, Snapshot, Targets, Timestamp

from cloud_hub.errors import NotFoundError, TrustError
from cloud_hub.files import locked, write_public
from cloud_hub.signing.roles import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, TOP_LEVEL

_Signed = TypeVar("_Signed", Root, Targets, Snapshot, Timestamp)

NO_KEYS = "there are no signing keys yet: `andon keys init --offline DIR` makes them"


class Shelf:
    """Reads and writes the files in ``folder``; signs nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def root_file(self) -> Path:
        """The newest root: what enrolment hands to a device; written last when the repository begins."""
        return self.folder / "root.json"

    def locked(self) -> AbstractContextManager[None]:
        """Hold the repository against everybody else who would sign."""
        if not self.folder.is_dir():
            raise TrustError(NO_KEYS)
        return locked(self.folder.parent / "lock")

    def root(self) -> Metadata[Root]:
        """The newest root that a client can follow to."""
        numbers = [int(file.name.partition(".")[0]) for file in self.folder.glob("*.root.json")]
        if not numbers:
            raise TrustError(NO_KEYS)
        return self._load(self.folder / f"{max(numbers)}.root.json", Root)

    def timestamp(self) -> Metadata[Timestamp]:
        return self._load(self.folder / "timestamp.json", Timestamp)

    def snapshot(self) -> Metadata[Snapshot]:
        version = self.timestamp().signed.snapshot_meta.version
        return self._load(self._place(SNAPSHOT, version), Snapshot)

    def listed(self, role: str) -> Metadata[Targets]:
        """The metadata in force of ``targets`` or a role it delegates to."""
        entry = self.snapshot().signed.meta.get(f"{role}.json")
        if entry is None:
            raise NotFoundError("signed metadata", role)
        return self._load(self._place(role, entry.version), Targets)

    def delegations(self) -> Delegations:
        found: Delegations | None = self.listed(TARGETS).signed.delegations
        assert found is not None, "the first targets metadata delegates to bundles"
        return found

    def delegated(self) -> tuple[str, ...]:
        """The roles that ``targets`` delegates to: bundles, and engines of each target."""
        return tuple(self.delegations().roles or {})

    def role(self, name: str) -> Role:
        """The keys and the threshold by which a client judges the role ``name``."""
        if name == ROOT or name in TOP_LEVEL:
            return self.root().signed.roles[name]
        return (self.delegations().roles or {})[name]

    def roles(self) -> dict[str, Metadata[Any]]:
        """The metadata in force, by role."""
        if not self.root_file.exists():
            raise TrustError(NO_KEYS)
        lists = {role: self.listed(role) for role in (TARGETS, *self.delegated())}
        return {ROOT: self.root(), **lists, SNAPSHOT: self.snapshot(), TIMESTAMP: self.timestamp()}

    def write(self, role: str, metadata: Metadata[Any]) -> None:
        write_public(self._place(role, metadata.signed.version), metadata.to_bytes())

    def write_root_file(self) -> None:
        """Bring ``root.json`` up to the newest root."""
        write_public(self.root_file, self.root().to_bytes())

    def described(self, role: str, version: int) -> MetaFile:
        return MetaFile.from_data(version, self._place(role, version).read_bytes(), ["sha256"])

    def _place(self, role: str, version: int) -> Path:
        return self.folder / (f"{role}.json" if role == TIMESTAMP else f"{version}.{role}.json")

    def _load(self, file: Path, kind: type[_Signed]) -> Metadata[_Signed]:
        try:
            loaded: Metadata[_Signed] = Metadata.from_bytes(file.read_bytes())
        except FileNotFoundError as error:
            raise NotFoundError("signed metadata", file.name) from error
        except (OSError, RepositoryError) as error:
            raise TrustError(f"{file} cannot be read as signed metadata: {error}") from error
        if not isinstance(loaded.signed, kind):
            raise TrustError(f"{file}: expected {kind.__name__}, got {type(loaded.signed).__name__}")
        return loaded
