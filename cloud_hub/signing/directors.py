"""Who may direct: ``directors.json``, an ordinary target that the offline ``targets`` key vouches for.

A director that was replaced may stay listed for a while, so that no device is
stranded with a directive that the old key signed; until when stands beside the
list's hash in the targets metadata, where devices take no notice of it.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tuf.api.metadata import Metadata, TargetFile, Targets

from cloud_hub.errors import ConflictError, NotFoundError, TrustError
from cloud_hub.signing.keyring import NEXT, Keyring, raw_ed25519
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.roles import DIRECTOR, DIRECTORS_FILE, TARGETS
from wire.directive import Director, Directors
from wire.errors import MessageError

_LEAVING = "leaving"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One director as it stands."""

    director: Director
    leaves: datetime | None  # it was replaced, and is to go then


def listed(repository: Repository) -> list[Listed]:
    """The directors that devices know."""
    target = _target(repository.shelf.listed(TARGETS))
    dates = _leaving(target)
    return [Listed(director=each, leaves=dates.get(each.key_id)) for each in _read(repository, target)]


def add(repository: Repository, director: Director) -> None:
    """List ``director``; one that is listed gets this scope instead of its own."""
    with repository.locked():
        targets = repository.shelf.listed(TARGETS)
        known = _read(repository, _target(targets))
        rows = [each for each in known if each.key_id != director.key_id]
        put(repository, targets, [*rows, director], leaving=_leaving(_target(targets)))
        repository.press.publish({TARGETS: targets})


def remove(repository: Repository, key_id: str) -> Director:
    """Take the director off the list whose key's id begins with ``key_id``."""
    with repository.locked():
        targets = repository.shelf.listed(TARGETS)
        known = _read(repository, _target(targets))
        found = [each for each in known if key_id and each.key_id.startswith(key_id)]
        if len(found) != 1:
            raise NotFoundError("director", key_id)
        if found[0].public_key == raw_ed25519(repository.press.online.public(DIRECTOR)):
            raise ConflictError(
                "that is this hub's own: `andon keys revoke director` replaces it by a new one"
            )
        rows = [each for each in known if each != found[0]]
        put(repository, targets, rows, leaving=_leaving(_target(targets)))
        repository.press.publish({TARGETS: targets})
    return found[0]


def succeed(repository: Repository, targets: Metadata[Targets], old_leaves: datetime | None) -> None:
    """Have ``targets`` list the director's key to come; the old one stays until ``old_leaves``, or goes.

    Where it was stolen those that it replaced go with it.
    """
    online = repository.press.online
    known = _read(repository, _target(targets))
    new = raw_ed25519(online.public(DIRECTOR + NEXT))
    old = _own(online, known)
    scope = next((each for each in known if each.public_key in (old, new)), Director(public_key=new))
    leaving = _leaving(_target(targets))
    others = [each for each in known if each.public_key != new]
    if old_leaves:
        leaving |= {each.key_id: old_leaves for each in others if each.public_key == old}
    else:
        others = [each for each in others if each.public_key != old and each.key_id not in leaving]
    put(repository, targets, [dataclasses.replace(scope, public_key=new), *others], leaving=leaving)


def put(
    repository: Repository,
    targets: Metadata[Targets],
    directors: Sequence[Director],
    *,
    leaving: dict[str, datetime] | None = None,
) -> None:
    """Have ``targets`` list ``directors``."""
    target = repository.put(DIRECTORS_FILE, Directors(directors=tuple(directors)).to_json())
    ids = {each.key_id for each in directors}
    dates = {key_id: date.isoformat() for key_id, date in (leaving or {}).items() if key_id in ids}
    if dates:
        target.unrecognized_fields["custom"] = {_LEAVING: dates}
    targets.signed.targets[DIRECTORS_FILE] = target


def _own(online: Keyring, known: Sequence[Director]) -> str:
    """The key that is being replaced; a lost one can only be told where it is the only one."""
    if online.has(DIRECTOR):
        return raw_ed25519(online.public(DIRECTOR))
    if len(known) != 1:
        raise TrustError(
            f"the director's key is lost and {len(known)} are listed: take its own off first, "
            "`andon keys director list` and `andon keys director remove`"
        )
    return known[0].public_key


def _read(repository: Repository, target: TargetFile) -> tuple[Director, ...]:
    place = repository.place(target)
    try:
        return Directors.from_json(place.read_bytes()).directors
    except (OSError, MessageError) as error:
        raise TrustError(f"{place} cannot be read as the list of directors: {error}") from error


def _target(targets: Metadata[Targets]) -> TargetFile:
    return targets.signed.targets[DIRECTORS_FILE]


def _leaving(target: TargetFile) -> dict[str, datetime]:
    noted: Any = target.custom or {}
    return {key_id: datetime.fromisoformat(date) for key_id, date in noted.get(_LEAVING, {}).items()}
