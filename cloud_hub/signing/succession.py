"""The next root: signed by enough of the old root keys and of the new ones, one version on.

Clients walk from the root that they were enrolled with to the newest, one by one; so
every version stays, and each is verified by the one before it, as they will do.
"""

from collections.abc import Sequence

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root

from cloud_hub.errors import TrustError
from cloud_hub.signing.keyring import NEXT
from cloud_hub.signing.press import Press
from cloud_hub.signing.roles import ROOT, ROOT_KEYS, TARGETS, TOP_LEVEL


def check_at_hand(press: Press) -> None:
    """``TrustError`` unless enough of the root keys are here and can be opened."""
    root = press.shelf.root().signed.roles[ROOT]
    ours = [name for name, keyid in _at_hand(press).items() if keyid in root.keyids]
    if len(ours) < root.threshold:
        raise TrustError(
            f"expected {root.threshold} of the root keys of this hub in {press.ring(TARGETS).folder}, "
            f"got {', '.join(ours) or 'none'}"
        )


def follow_up(press: Press, names: Sequence[str]) -> None:
    """Write the next root, where the keys to come of ``names`` are not in the newest one yet."""
    root = press.shelf.root()
    before = Root.from_dict(root.signed.to_dict())
    for name in names:
        if name in TOP_LEVEL:
            _swap(root.signed, name, root.signed.roles[name].keyids[0], press.ring(name).public(name + NEXT))
        elif name in ROOT_KEYS:
            new = press.ring(name).public(name + NEXT)
            if new.keyid not in root.signed.roles[ROOT].keyids:
                _swap(root.signed, ROOT, _listed_id(press, name), new)
    if root.signed.to_dict() != before.to_dict():
        publish(press, root, before=before)


def publish(press: Press, root: Metadata[Root], *, before: Root) -> None:
    """Sign ``root`` as the one after ``before``."""
    root.signed.version = before.version + 1
    press.publish_root(root, before)


def _swap(root: Root, role: str, old: str, new: Key) -> None:
    if old != new.keyid:
        root.revoke_key(old, role)
        root.add_key(new, role)


def _listed_id(press: Press, name: str) -> str:
    """The id under which root lists ``name``; a lost key is the one that no other root key is."""
    listed = press.shelf.root().signed.roles[ROOT].keyids
    ids = _at_hand(press)
    left = [ids[name]] if ids.get(name) in listed else [each for each in listed if each not in ids.values()]
    if len(left) != 1:
        raise TrustError(f"{name} is not at hand and {len(left)} root keys are unknown: bring the other two")
    return left[0]


def _at_hand(press: Press) -> dict[str, str]:
    """The ids of the root keys that are here, by name."""
    return {name: press.ring(name).public(name).keyid for name in ROOT_KEYS if press.ring(name).has(name)}
