"""How the roles stand: what each needs, how long it still holds, and what to do about it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloud_hub.config import SigningSettings
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.roles import ROOT, TARGETS

SOON = timedelta(days=30)  # enough to fetch the offline keys
VERY_SOON = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """One role: how many keys it needs and how long its newest metadata still holds."""

    role: str
    version: int
    expires: datetime
    keys: int
    threshold: int
    key_ids: tuple[str, ...]
    warning: str = ""

    @property
    def expired(self) -> bool:
        return self.warning.startswith(_EXPIRED)


_EXPIRED = "expired"


def status(
    state_dir: Path, now: datetime | None = None, *, settings: SigningSettings | None = None
) -> list[RoleStatus]:
    """Every role's keys, version and expiry; a ``TrustError`` where there are none yet."""
    repository = Repository(state_dir, online=Keyring.online(state_dir, settings))
    moment = now or datetime.now(UTC)
    found = []
    for role, metadata in repository.roles().items():
        judged = repository.shelf.role(role)
        found.append(
            RoleStatus(
                role=role,
                version=metadata.signed.version,
                expires=metadata.signed.expires,
                keys=len(judged.keyids),
                threshold=judged.threshold,
                key_ids=tuple(judged.keyids),
                warning=_warning(role, metadata.signed.expires - moment),
            )
        )
    return found


def _warning(role: str, left: timedelta) -> str:
    if left <= timedelta():
        return f"{_EXPIRED}: devices refuse every update"
    if role in (ROOT, TARGETS) and left < SOON:
        return "ends soon: sign it anew with the offline keys, by `andon keys renew --offline DIR`"
    if left < VERY_SOON:
        return "ends soon: is `andon hub work` running? it signs this role"
    return ""
