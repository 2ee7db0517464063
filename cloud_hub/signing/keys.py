"""Making every signing key once, and saying how long what they signed still holds."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Root, TargetFile, Targets

from cloud_hub.errors import ConflictError
from cloud_hub.files import locked, private_folder
from cloud_hub.signing.keyring import (
    BUNDLES,
    DIRECTOR,
    OFFLINE,
    ONLINE,
    ROOT_KEYS,
    ROOT_THRESHOLD,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    existing,
    generate,
    load_key,
    online_folder,
)
from cloud_hub.signing.repository import BUNDLE_PATHS, Repository
from wire.directive import Director, Directors

OFFLINE_LIFETIME = timedelta(days=1825)  # of root and targets: signing them anew takes the offline keys
SOON = timedelta(days=30)

Signers = dict[str, CryptoSigner]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """One role: how many keys it needs and how long its newest metadata still holds."""

    role: str
    version: int
    expires: datetime
    keys: int
    threshold: int
    warning: str = ""


def init(state_dir: Path, offline: Path) -> list[RoleStatus]:
    """Make every key and the first signed metadata; nothing that exists is ever overwritten."""
    online = private_folder(online_folder(state_dir))
    repository = Repository(state_dir)
    with locked(online / "lock"):
        for folder in (offline, online):
            if existing(folder):
                raise ConflictError(
                    f"{folder} holds keys already: they are never overwritten; "
                    "remove them yourself if an earlier `keys init` was cut short"
                )
        if repository.exists():
            raise ConflictError(f"{repository.root_file} is there already: its keys are elsewhere")
        signers = generate(offline, OFFLINE) | generate(online, ONLINE)
        directors = _directors(online).to_json()
        repository.begin(_first_root(signers), _first_targets(signers, directors), directors)
    return status(state_dir)


def status(state_dir: Path, now: datetime | None = None) -> list[RoleStatus]:
    """Every role's keys, version and expiry; a ``TrustError`` where there are none yet."""
    roles = Repository(state_dir).roles()
    root: Root = roles["root"].signed
    delegations: Delegations = roles[TARGETS].signed.delegations
    known = dict(root.roles) | dict(delegations.roles or {})
    return [
        RoleStatus(
            role=role,
            version=metadata.signed.version,
            expires=metadata.signed.expires,
            keys=len(known[role].keyids),
            threshold=known[role].threshold,
            warning=_warning(role, metadata.signed.expires - (now or datetime.now(UTC))),
        )
        for role, metadata in roles.items()
    ]


def _warning(role: str, left: timedelta) -> str:
    if left <= timedelta():
        return "expired: devices refuse every update"
    if role in ("root", TARGETS) and left < SOON:
        return "ends soon: sign it anew with the offline keys"
    if left < timedelta(days=3):
        return "ends soon: is `andon hub work` running? it signs this role"
    return ""


def _directors(online: Path) -> Directors:
    public = load_key(online, DIRECTOR).public_key()
    return Directors(
        directors=(Director(public_key=public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()),)
    )


def _first_root(signers: Signers) -> Metadata[Root]:
    root = Root(expires=_offline_expiry(), consistent_snapshot=True)
    for name in ROOT_KEYS:
        root.add_key(signers[name].public_key, "root")
    for role in (TARGETS, SNAPSHOT, TIMESTAMP):
        root.add_key(signers[role].public_key, role)
    root.roles["root"].threshold = ROOT_THRESHOLD
    metadata = Metadata(root)
    for name in ROOT_KEYS:
        metadata.sign(signers[name], append=True)
    return metadata


def _first_targets(signers: Signers, directors: bytes) -> Metadata[Targets]:
    bundles_key = signers[BUNDLES].public_key
    role = DelegatedRole(BUNDLES, [bundles_key.keyid], 1, terminating=True, paths=list(BUNDLE_PATHS))
    targets = Targets(
        version=int(datetime.now(UTC).timestamp()),
        expires=_offline_expiry(),
        targets={"directors.json": TargetFile.from_data("directors.json", directors, ["sha256"])},
        delegations=Delegations({bundles_key.keyid: bundles_key}, {BUNDLES: role}),
    )
    metadata = Metadata(targets)
    metadata.sign(signers[TARGETS])
    return metadata


def _offline_expiry() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + OFFLINE_LIFETIME
