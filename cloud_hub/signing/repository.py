"""The TUF repository: signed lists of what may be installed, as files any web server can serve.

``metadata`` and ``targets`` are the whole of it: no code answers for them. Nothing
that was published is ever deleted, so what a device may go back to stays there.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tuf.api.metadata import Metadata, TargetFile

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.files import copy_public, write_public
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.press import Press
from cloud_hub.signing.roles import (
    BUNDLES,
    SNAPSHOT,
    TIMESTAMP,
    check_bundle_path,
    engine_path,
    engines_role,
)
from cloud_hub.signing.shelf import Shelf


def real_time() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A bundle or an engine that devices may now install."""

    target_path: str
    sha256: str
    bytes: int


class Repository:
    """The repository in ``state_dir/repository``; ``now`` is real time, as TUF's expiry is.

    ``offline`` are the keys that an operator brought for an act on roles; day by day nobody has them.
    """

    def __init__(
        self,
        state_dir: Path,
        now: Callable[[], datetime] = real_time,
        *,
        online: Keyring | None = None,
        offline: Keyring | None = None,
    ) -> None:
        self.targets_folder = state_dir / "repository" / "targets"
        self.shelf = Shelf(state_dir / "repository" / "metadata")
        self.press = Press(self.shelf, now, online or Keyring.online(state_dir), offline)

    @classmethod
    def of(cls, config: HubConfig, offline: Keyring | None = None) -> Self:
        """The repository of the hub that ``config`` describes."""
        online = Keyring.online(config.state_dir, config.signing)
        return cls(config.state_dir, online=online, offline=offline)

    @property
    def metadata_folder(self) -> Path:
        return self.shelf.folder

    @property
    def root_file(self) -> Path:
        """The newest root: what enrolment hands to a device."""
        return self.shelf.root_file

    def exists(self) -> bool:
        return self.root_file.exists()

    def locked(self) -> AbstractContextManager[None]:
        return self.shelf.locked()

    def publish_bundle(self, file: Path, target_path: str) -> Published:
        """Sign ``file`` as ``target_path``; doing it again with the same bytes changes nothing."""
        return self._list(BUNDLES, file, check_bundle_path(target_path))

    def publish_engine(self, file: Path, target: str, name: str) -> Published:
        """Sign a shared engine for every device of the compile ``target``, under that target's own role."""
        path = engine_path(target, name)
        role = engines_role(target)
        with self.locked():
            if role not in self.shelf.delegated():
                raise NotFoundError("signing role", role)
        return self._list(role, file, path)

    def refresh_timestamp(self) -> bool:
        """Sign anew what has used up half its life; whether anything was signed."""
        with self.locked():
            listed = {role: self.shelf.listed(role) for role in self.shelf.delegated()}
            worn = {role: metadata for role, metadata in listed.items() if self.press.worn(metadata, role)}
            snapshot = self.shelf.snapshot()
            if worn or self.press.worn(snapshot, SNAPSHOT):
                self.press.publish(worn)
            elif self.press.worn(self.shelf.timestamp(), TIMESTAMP):
                self.press.publish_timestamp(snapshot)
            else:
                return False
        return True

    def republish(self) -> int:
        """Sign what is listed under versions above any that were signed before; returns the timestamp's.

        After a restore: devices know newer versions than the backup does, and refuse every older one.
        """
        with self.locked():
            self.press.publish({role: self.shelf.listed(role) for role in self.shelf.delegated()})
            return self.shelf.timestamp().signed.version

    def roles(self) -> dict[str, Metadata[Any]]:
        """The metadata in force, by role."""
        return self.shelf.roles()

    def place(self, target: TargetFile) -> Path:
        """Where clients look for ``target``: its hash is part of the name."""
        folder, _, name = target.path.rpartition("/")
        return self.targets_folder / folder / f"{target.hashes['sha256']}.{name}"

    def put(self, path: str, content: bytes) -> TargetFile:
        """Place ``content`` where a list may then name it."""
        target = TargetFile.from_data(path, content, ["sha256"])
        self._place(target, lambda place: write_public(place, content))
        return target

    def _list(self, role: str, file: Path, path: str) -> Published:
        target = TargetFile.from_file(path, str(file), ["sha256"])
        with self.locked():
            listing = self.shelf.listed(role)
            known = listing.signed.targets.get(path)
            if known is not None and known.hashes != target.hashes:
                raise ConflictError(
                    f"{path} is published with SHA-256 {known.hashes['sha256'][:12]}, "
                    f"got {target.hashes['sha256'][:12]}: a path keeps its contents for ever"
                )
            self._place(target, lambda place: copy_public(file, place))
            if known is None:
                listing.signed.targets[path] = target
                self.press.publish({role: listing})
        return Published(target_path=path, sha256=target.hashes["sha256"], bytes=target.length)

    def _place(self, target: TargetFile, write: Callable[[Path], None]) -> None:
        place = self.place(target)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            write(place)
