"""How the keys stand: what each role needs, how long it still holds, and what has to be done about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata

from cloud_hub.config import SigningSettings
from cloud_hub.errors import TrustError
from cloud_hub.files import write_private
from cloud_hub.signing import directors
from cloud_hub.signing.keyring import NEXT, Keyring, describe
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.roles import DIRECTOR, OFFLINE, ROOT, TARGETS

SOON = timedelta(days=30)  # enough to fetch the offline keys
VERY_SOON = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """One role: how many keys it needs, how long its newest metadata holds, what is not as it should be."""

    role: str
    version: int
    expires: datetime
    keys: int
    threshold: int
    key_ids: tuple[str, ...]
    expired: bool = False
    warning: str = ""


def status(
    state_dir: Path, now: datetime | None = None, *, settings: SigningSettings | None = None
) -> list[RoleStatus]:
    """Every role's keys, version and expiry; a ``TrustError`` where there are none yet."""
    repository = Repository(state_dir, online=Keyring.online(state_dir, settings))
    moment = now or datetime.now(UTC)
    roles = repository.roles()
    rows = [_role(repository, role, metadata, moment) for role, metadata in roles.items()]
    return [*rows, _director(repository, roles[TARGETS], moment)]


def note_offline(state_dir: Path, folder: Path) -> None:
    """Remember where the offline keys were used: `status` warns while they are still there."""
    write_private(_offline_note(state_dir), str(folder.resolve()).encode())


def _offline_note(state_dir: Path) -> Path:
    return state_dir / "keys" / "offline-folder"


def _role(repository: Repository, role: str, metadata: Metadata[Any], now: datetime) -> RoleStatus:
    judged = repository.shelf.role(role)
    warnings = [_about_time(role, metadata.signed.expires - now)]
    if role in (ROOT, TARGETS):
        warnings += _about_offline(repository)
    else:
        warnings += _about_key(repository.press.online, role, {*judged.keyids})
    return RoleStatus(
        role=role,
        version=metadata.signed.version,
        expires=metadata.signed.expires,
        keys=len(judged.keyids),
        threshold=judged.threshold,
        key_ids=tuple(judged.keyids),
        expired=metadata.signed.expires <= now,
        warning="; ".join(filter(None, warnings)),
    )


def _director(repository: Repository, targets: Metadata[Any], now: datetime) -> RoleStatus:
    """The directors stand in a list that ``targets`` signs, and last as long."""
    listed = directors.listed(repository)
    warnings = [*_about_key(repository.press.online, DIRECTOR, None)]
    for row in listed:
        if row.leaves and row.leaves <= now:
            known = row.director.key_id[:12]
            warnings.append(f"{known} was replaced: `andon keys director remove {known} --offline DIR`")
    return RoleStatus(
        role=DIRECTOR,
        version=targets.signed.version,
        expires=targets.signed.expires,
        keys=len(listed),
        threshold=1,
        key_ids=tuple(row.director.key_id for row in listed),
        expired=targets.signed.expires <= now,
        warning="; ".join(warnings),
    )


def _about_time(role: str, left: timedelta) -> str:
    if left <= timedelta():
        return "expired: devices refuse every update"
    if role in (ROOT, TARGETS) and left < SOON:
        return "ends soon: sign it anew with the offline keys, by `andon keys renew --offline DIR`"
    if left < VERY_SOON:
        return "ends soon: is `andon hub work` running? it signs this role"
    return ""


def _about_offline(repository: Repository) -> Iterator[str]:
    note = _offline_note(repository.shelf.folder.parent.parent)
    folder = Path(note.read_text()) if note.exists() else None
    if folder is None:
        return
    there = [name for name in OFFLINE if (folder / f"{name}.pem").exists()]
    if there:
        yield f"the offline keys are still on this machine, in {folder}: carry them away"
    if there and Keyring(folder, None).plain():
        yield "and not sealed: `andon keys encrypt --offline DIR`"


def _about_key(online: Keyring, name: str, trusted: set[str] | None) -> Iterator[str]:
    if online.has(name + NEXT):
        yield f"its replacement was cut short: run `andon keys rotate {name}` or `revoke` again"
    if any(file.name == f"{name}.pem" for file in online.plain()):
        yield "its key is not sealed: `andon keys encrypt`"
    try:
        signers = online.signers(name)
    except TrustError as error:
        yield str(error)
        return
    if trusted is not None and not trusted & {signer.public_key.keyid for signer in signers}:
        here = describe(signers[0].public_key)
        yield f"the key here, {here}, is not the one that devices expect: `andon keys revoke {name}`"
