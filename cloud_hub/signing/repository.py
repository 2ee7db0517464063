"""The TUF repository: signed lists of what may be installed, as files any web server can serve.

Every version but the timestamp has a name of its own (consistent snapshots), and
the timestamp is renamed into place last: a reader, or a crash at any point, sees
the state before or the state after. Versions are max(previous + 1, seconds since
1970), so that a hub restored from a backup is not refused as a rollback.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from cloud_hub.errors import ConflictError, NotFoundError, TrustError
from cloud_hub.files import copy_public, locked, write_public
from cloud_hub.signing.keyring import BUNDLES, SNAPSHOT, TARGETS, TIMESTAMP, load_signer, online_folder

BUNDLE_PATHS = ("bundles/*", "bundles/*/*", "bundles/*/*/*")  # what the online key may list
_BUNDLE_PATH = re.compile(r"bundles(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){1,3}")
LIFETIMES = {BUNDLES: timedelta(days=365), SNAPSHOT: timedelta(days=90), TIMESTAMP: timedelta(days=14)}

_Signed = TypeVar("_Signed", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A bundle that devices may now install."""

    target_path: str
    sha256: str
    bytes: int


class Repository:
    """The repository in ``state_dir/repository``; ``now`` is real time, as TUF's expiry is."""

    def __init__(self, state_dir: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.metadata_folder = state_dir / "repository" / "metadata"
        self.targets_folder = state_dir / "repository" / "targets"
        self._keys = online_folder(state_dir)
        self._now = now

    @property
    def root_file(self) -> Path:
        """The newest root: what enrolment hands to a device."""
        return self.metadata_folder / "root.json"

    def exists(self) -> bool:
        return self.root_file.exists()

    def publish_bundle(self, file: Path, target_path: str) -> Published:
        """Sign ``file`` as ``target_path``; doing it again with the same bytes changes nothing."""
        if not _BUNDLE_PATH.fullmatch(target_path):
            raise TrustError(f"expected a target path like bundles/motor-health/3.zip, got {target_path!r}")
        target = TargetFile.from_file(target_path, str(file), ["sha256"])
        with self._locked():
            bundles = self._read(BUNDLES, self._listed(BUNDLES), Targets)
            known = bundles.signed.targets.get(target_path)
            if known is not None and known.hashes != target.hashes:
                raise ConflictError(
                    f"{target_path} is published with SHA-256 {known.hashes['sha256'][:12]}, "
                    f"got {target.hashes['sha256'][:12]}: a path keeps its contents for ever"
                )
            self._place(file, target)
            if known is None:
                bundles.signed.targets[target_path] = target
                self._publish(bundles)
        return Published(target_path=target_path, sha256=target.hashes["sha256"], bytes=target.length)

    def refresh_timestamp(self) -> bool:
        """Sign anew what has used up half its life; whether anything was signed."""
        with self._locked():
            bundles = self._read(BUNDLES, self._listed(BUNDLES), Targets)
            snapshot = self._snapshot()
            if self._worn(bundles, BUNDLES) or self._worn(snapshot, SNAPSHOT):
                self._publish(bundles)
            elif self._worn(self._timestamp(), TIMESTAMP):
                self._publish_timestamp(snapshot)
            else:
                return False
        return True

    def republish(self) -> int:
        """Sign what is listed under versions above any that were signed before; returns the timestamp's.

        After a restore: devices know newer versions than the backup does, and refuse every older one.
        """
        with self._locked():
            self._publish(self._read(BUNDLES, self._listed(BUNDLES), Targets))
            return self._timestamp().signed.version

    def begin(self, root: Metadata[Root], targets: Metadata[Targets], directors: bytes) -> None:
        """Write the first state; ``targets`` lists ``directors`` as directors.json already."""
        for folder in (self.metadata_folder, self.targets_folder):
            folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            digest = targets.signed.targets["directors.json"].hashes["sha256"]
            write_public(self.targets_folder / f"{digest}.directors.json", directors)
            content = root.to_bytes()
            write_public(self.metadata_folder / f"{root.signed.version}.root.json", content)
            self._write(TARGETS, targets)
            first = Metadata(Targets(expires=self._now().replace(microsecond=0)))
            self._publish(first, targets_version=targets.signed.version)
            write_public(self.root_file, content)  # last: its presence says the repository is whole

    def roles(self) -> dict[str, Metadata[Any]]:
        """The metadata in force, by role."""
        if not self.exists():
            raise TrustError("there are no signing keys yet: `andon keys init --offline DIR` makes them")
        return {
            "root": self._load(self.root_file, Root),
            TARGETS: self._read(TARGETS, self._listed(TARGETS), Targets),
            BUNDLES: self._read(BUNDLES, self._listed(BUNDLES), Targets),
            SNAPSHOT: self._snapshot(),
            TIMESTAMP: self._timestamp(),
        }

    def _publish(self, bundles: Metadata[Targets], targets_version: int | None = None) -> None:
        """Sign a new bundles role, a snapshot that names it and a timestamp that names that."""
        self._sign(bundles, BUNDLES)
        snapshot = Metadata(Snapshot()) if targets_version else self._snapshot()
        if targets_version:
            snapshot.signed.meta["targets.json"] = self._described(TARGETS, targets_version)
        snapshot.signed.meta["bundles.json"] = self._described(BUNDLES, bundles.signed.version)
        self._sign(snapshot, SNAPSHOT)
        self._publish_timestamp(snapshot)

    def _publish_timestamp(self, snapshot: Metadata[Snapshot]) -> None:
        file = self.metadata_folder / "timestamp.json"
        timestamp = self._timestamp() if file.exists() else Metadata(Timestamp())
        timestamp.signed.snapshot_meta = self._described(SNAPSHOT, snapshot.signed.version)
        self._sign(timestamp, TIMESTAMP)

    def _sign(self, metadata: Metadata[_Signed], role: str) -> None:
        """Give ``metadata`` its next version and expiry, sign it with the online key, and write it."""
        now = self._now().replace(microsecond=0)
        fresh = not metadata.signatures
        metadata.signed.version = max(0 if fresh else metadata.signed.version + 1, int(now.timestamp()))
        metadata.signed.expires = now + LIFETIMES[role]
        metadata.sign(load_signer(self._keys, role))
        self._write(role, metadata)

    def _write(self, role: str, metadata: Metadata[_Signed]) -> None:
        name = f"{role}.json" if role == TIMESTAMP else f"{metadata.signed.version}.{role}.json"
        write_public(self.metadata_folder / name, metadata.to_bytes())

    def _place(self, file: Path, target: TargetFile) -> None:
        folder, _, name = target.path.rpartition("/")
        place = self.targets_folder / folder / f"{target.hashes['sha256']}.{name}"
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            copy_public(file, place)

    def _described(self, role: str, version: int) -> MetaFile:
        content = (self.metadata_folder / f"{version}.{role}.json").read_bytes()
        return MetaFile.from_data(version, content, ["sha256"])

    def _timestamp(self) -> Metadata[Timestamp]:
        return self._load(self.metadata_folder / "timestamp.json", Timestamp)

    def _snapshot(self) -> Metadata[Snapshot]:
        return self._read(SNAPSHOT, self._timestamp().signed.snapshot_meta.version, Snapshot)

    def _listed(self, role: str) -> int:
        return self._snapshot().signed.meta[f"{role}.json"].version

    def _read(self, role: str, version: int, kind: type[_Signed]) -> Metadata[_Signed]:
        return self._load(self.metadata_folder / f"{version}.{role}.json", kind)

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

    def _worn(self, metadata: Metadata[_Signed], role: str) -> bool:
        return metadata.signed.expires - self._now() < LIFETIMES[role] / 2

    def _locked(self) -> Any:
        if not self.metadata_folder.is_dir():
            raise TrustError("there are no signing keys yet: `andon keys init --offline DIR` makes them")
        return locked(self.metadata_folder.parent / "lock")
