"""Signing metadata and putting it in force: the timestamp is renamed into place last.

A reader, or a crash at any point, sees the state before or the state after.
Versions are max(previous + 1, seconds since 1970), so that a hub restored from a
backup is not refused as a rollback; root counts by one, as clients follow it.

While a key is being replaced both the old and the new one sign, so that clients
can verify what lies there on either side of the root, or targets, that changes it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from securesystemslib.signer import Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from cloud_hub.errors import TrustError
from cloud_hub.signing.delegations import delegated_by
from cloud_hub.signing.keyring import NEXT, Keyring, describe
from cloud_hub.signing.roles import OFFLINE, ROOT_KEYS, SNAPSHOT, TARGETS, TIMESTAMP, lifetime
from cloud_hub.signing.shelf import Shelf

Lists = Mapping[str, Metadata[Targets]]  # role: what it is to list


class Press:
    """Signs with ``online``, and with ``offline`` where an operator brought it; ``now`` is real time."""

    def __init__(
        self, shelf: Shelf, now: Callable[[], datetime], online: Keyring, offline: Keyring | None = None
    ) -> None:
        self.shelf = shelf
        self.online = online
        self._now = now
        self._offline = offline

    def ring(self, name: str) -> Keyring:
        """Where the key ``name`` is kept."""
        if name not in OFFLINE:
            return self.online
        if self._offline is None:
            raise TrustError(f"the key {name} is offline: bring its directory and name it by --offline")
        return self._offline

    def publish(self, lists: Lists) -> None:
        """Sign ``lists``, a snapshot that names them and a timestamp that names that."""
        snapshot = self.shelf.snapshot() if self.begun() else Metadata(Snapshot())
        trusted = {role: self._trusted(role, lists) for role in lists}
        for role, metadata in lists.items():
            self._sign(metadata, role, trusted[role])
            snapshot.signed.meta[f"{role}.json"] = self.shelf.described(role, metadata.signed.version)
        self._sign(snapshot, SNAPSHOT, self._trusted(SNAPSHOT, lists))
        self.publish_timestamp(snapshot)

    def publish_timestamp(self, snapshot: Metadata[Snapshot]) -> None:
        timestamp = self.shelf.timestamp() if self.begun() else Metadata(Timestamp())
        timestamp.signed.snapshot_meta = self.shelf.described(SNAPSHOT, snapshot.signed.version)
        self._sign(timestamp, TIMESTAMP, self._trusted(TIMESTAMP, {}))

    def publish_root(self, root: Metadata[Root], before: Root | None) -> None:
        """Sign ``root`` with every root key at hand, old and new; clients follow once it is written."""
        root.signed.expires = self._now().replace(microsecond=0) + lifetime("root")
        there = [name for name in ROOT_KEYS if self._has(name)]
        _sign_with(root, [signer for name in there for signer in self.ring(name).signers(name)])
        for judge in filter(None, (before, root.signed)):
            try:
                judge.verify_delegate("root", root.signed_bytes, root.signatures)
            except UnsignedMetadataError as error:
                raise TrustError(f"root {root.signed.version} would not be followed: {error}") from error
        self.shelf.write("root", root)

    def check_key(self, role: str) -> None:
        """``TrustError`` unless the key of ``role`` can be opened here and is one that devices trust."""
        self._signers(role, list(self.shelf.role(role).keyids))

    def begun(self) -> bool:
        return (self.shelf.folder / "timestamp.json").exists()

    def worn(self, metadata: Metadata[Any], role: str) -> bool:
        """Whether it has used up half its life."""
        left: Any = metadata.signed.expires - self._now()
        return bool(left < lifetime(role) / 2)

    def _has(self, name: str) -> bool:
        return self.ring(name).has(name) or self.ring(name).has(name + NEXT)

    def _trusted(self, role: str, lists: Lists) -> list[str]:
        """The ids of the keys of which a client expects one: a new targets speaks for its delegations."""
        if TARGETS in lists and role in (roles := delegated_by(lists[TARGETS].signed)):
            return list(roles[role].keyids)
        return list(self.shelf.role(role).keyids)

    def _sign(self, metadata: Metadata[Any], role: str, trusted: list[str]) -> None:
        """Give ``metadata`` its next version and expiry, sign it, and write it."""
        now = self._now().replace(microsecond=0)
        following = metadata.signed.version + 1 if metadata.signatures else 1
        metadata.signed.version = max(following, int(now.timestamp()))
        metadata.signed.expires = now + lifetime(role)
        _sign_with(metadata, self._signers(role, trusted))
        self.shelf.write(role, metadata)

    def _signers(self, role: str, trusted: list[str]) -> list[Signer]:
        signers = self.ring(role).signers(role)
        if not {signer.public_key.keyid for signer in signers} & {*trusted}:
            raise TrustError(
                f"{role}: devices expect it to be signed by key {trusted[0][:12]}, the one here is "
                f"{describe(signers[0].public_key)}: bring the right one, or `andon keys revoke {role}`"
            )
        return signers


def _sign_with(metadata: Metadata[Any], signers: list[Signer]) -> None:
    metadata.signatures.clear()
    for signer in signers:
        try:
            metadata.sign(signer, append=True)
        except UnsignedMetadataError as error:
            raise TrustError(f"the key {describe(signer.public_key)} does not sign: {error}") from error
