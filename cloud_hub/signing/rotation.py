"""Replacing keys: the new one is made first, both sign, the change is signed offline, the old one goes last.

In that order a client can verify what lies there at every instant: metadata that
both keys signed holds on either side of the root that changes the key. The key to
come, ``NAME.next``, takes its name last: as long as it lies there the act is not
finished, and running it again finishes it.

A fast-forward by a stolen timestamp key is cured by the same act: clients drop what
they know of timestamp and snapshot when root no longer lists the key that signed it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tuf.api.metadata import Metadata, TargetFile, Targets

from cloud_hub.errors import ConflictError, TrustError
from cloud_hub.signing import directors, succession
from cloud_hub.signing.delegations import delegate
from cloud_hub.signing.keyring import NEXT, describe, raw_ed25519
from cloud_hub.signing.press import Press
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.roles import (
    BUNDLES,
    DIRECTOR,
    ONLINE,
    ROOT_KEYS,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
    engines_role,
)
from wire.directive import Director

EVERY_ONLINE = "online"

Genuine = Mapping[str, str]  # target path: SHA-256 of what is known to be ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What an act changed."""

    keys: Mapping[str, str]  # name: the beginning of the new key's id
    root_version: int
    timestamp_version: int
    dropped: tuple[str, ...]  # target paths that are no longer vouched for


def named(repository: Repository, names: Iterable[str], *, stolen: bool) -> list[str]:
    """The keys that ``names`` mean: ``online`` is all that the hub holds.

    With a stolen snapshot key the timestamp's goes as well: it is the timestamp's that makes clients
    forget to which version a thief led them, and both lie in one folder.
    """
    engines = [role for role in repository.shelf.delegated() if role != BUNDLES]
    every = (*ROOT_KEYS, TARGETS, *ONLINE, *engines)
    found: list[str] = []
    for name in names:
        if name != EVERY_ONLINE and name not in every:
            raise TrustError(f"expected one of {', '.join(every)} or {EVERY_ONLINE}, got {name!r}")
        found += [*ONLINE, *engines] if name == EVERY_ONLINE else [name]
    if stolen and SNAPSHOT in found:
        found.append(TIMESTAMP)
    return list(dict.fromkeys(found))


def replace(
    repository: Repository,
    names: Sequence[str],
    *,
    old_director_leaves: datetime | None = None,
    genuine: Mapping[str, Genuine] | None = None,
) -> Replaced:
    """Put new keys in the place of ``names``; safe to cut short anywhere and to run again.

    ``genuine`` says for a delegated role what it may go on listing: all else is dropped.
    """
    press, shelf = repository.press, repository.shelf
    with repository.locked():
        _check_at_hand(press, names)
        for name in names:
            _make_next(press, name)
        lists, dropped = _lists(repository, names, old_director_leaves, genuine or {})
        seamless = all(_is_trusted(press, name) for name in names if name in TOP_LEVEL)
        if seamless:
            _publish(press, names, lists)
        succession.follow_up(press, names)
        keys = {name: _new_id(press, name) for name in names}
        for name in names:
            press.ring(name).promote(name)
        _publish(press, names, lists)  # by the new keys alone
        shelf.write_root_file()
        return Replaced(
            keys=keys,
            root_version=shelf.root().signed.version,
            timestamp_version=shelf.timestamp().signed.version,
            dropped=tuple(dropped),
        )


def delegate_engines(repository: Repository, target: str) -> str:
    """Let a new online key vouch for the shared engines of ``target``; returns the role's name."""
    press, shelf, role = repository.press, repository.shelf, engines_role(target)
    with repository.locked():
        there = role in shelf.delegated()
        if there and not press.online.has(role + NEXT):
            raise ConflictError(f"{role} is there already: `andon keys rotate {role}` gives it another key")
        press.check_key(TARGETS)
        press.online.make(role + NEXT)
        targets = shelf.listed(TARGETS)
        delegate(targets.signed, role, press.online.public(role + NEXT))
        press.publish({TARGETS: targets, role: shelf.listed(role) if there else Metadata(Targets())})
        press.online.promote(role)
    return role


def renew(repository: Repository) -> Replaced:
    """Sign root and targets anew before they expire; no key changes."""
    press, shelf = repository.press, repository.shelf
    with repository.locked():
        press.check_key(TARGETS)
        press.publish({TARGETS: shelf.listed(TARGETS)})
        succession.publish(press, shelf.root(), before=shelf.root().signed)
        shelf.write_root_file()
        return Replaced(
            keys={},
            root_version=shelf.root().signed.version,
            timestamp_version=shelf.timestamp().signed.version,
            dropped=(),
        )


def _new_id(press: Press, name: str) -> str:
    key = press.ring(name).public(name + NEXT)
    return Director(public_key=raw_ed25519(key)).key_id[:12] if name == DIRECTOR else describe(key)


def _check_at_hand(press: Press, names: Sequence[str]) -> None:
    """Open what the act will need, before it makes anything: a wrong passphrase is told now."""
    delegated = [name for name in names if name not in (*ROOT_KEYS, SNAPSHOT, TIMESTAMP, TARGETS)]
    if delegated and TARGETS not in names:
        press.check_key(TARGETS)
    if len(delegated) == len(names):
        return
    succession.check_at_hand(press)


def _make_next(press: Press, name: str) -> None:
    ring = press.ring(name)
    if ring.is_remote(name) and not ring.has(name + NEXT):
        raise TrustError(
            f"the key {name} is at a signer: make a new one there, name it as {name + NEXT} in signing.uris "
            "and signing.public_keys of hub.toml, and run this again"
        )
    ring.make(name + NEXT)


def _lists(
    repository: Repository,
    names: Sequence[str],
    old_director_leaves: datetime | None,
    genuine: Mapping[str, Genuine],
) -> tuple[dict[str, Metadata[Targets]], list[str]]:
    """The targets metadata that have to be signed anew, with the new keys in them; and what they drop."""
    shelf, online = repository.shelf, repository.press.online
    roles = [name for name in names if name in shelf.delegated()]
    if not roles and not {DIRECTOR, TARGETS} & {*names}:
        return {}, []
    targets, dropped = shelf.listed(TARGETS), []
    lists = {TARGETS: targets}
    if DIRECTOR in names:
        directors.succeed(repository, targets, old_director_leaves)
    for role in roles:
        delegate(targets.signed, role, online.public(role + NEXT))
        lists[role] = shelf.listed(role)
        if role in genuine:
            dropped += _drop_foreign(lists[role].signed, genuine[role])
    return lists, dropped


def _drop_foreign(listing: Targets, genuine: Genuine) -> list[str]:
    def is_ours(path: str, target: TargetFile) -> bool:
        return genuine.get(path) == target.hashes.get("sha256")

    foreign = [path for path, target in listing.targets.items() if not is_ours(path, target)]
    for path in foreign:
        del listing.targets[path]
    return foreign


def _is_trusted(press: Press, role: str) -> bool:
    ring = press.ring(role)
    return ring.has(role) and ring.public(role).keyid in press.shelf.role(role).keyids


def _publish(press: Press, names: Sequence[str], lists: Mapping[str, Metadata[Targets]]) -> None:
    if any(name not in ROOT_KEYS for name in names):
        press.publish(lists)
