"""The roles that a targets metadata delegates to: one key each, and paths that no other may list."""

from collections.abc import Mapping

from tuf.api.metadata import DelegatedRole, Delegations, Key, Targets

from cloud_hub.signing.roles import paths_of


def delegated_by(targets: Targets) -> Mapping[str, DelegatedRole]:
    """The roles that ``targets`` delegates to, by name."""
    return (targets.delegations.roles if targets.delegations else None) or {}


def delegate(targets: Targets, role: str, key: Key) -> None:
    """Let ``key``, and no other, vouch for the paths of ``role``, and for no others."""
    if targets.delegations is None:
        targets.delegations = Delegations({}, {})
    roles = targets.delegations.roles
    assert roles is not None, "roles are delegated to by name, never by hash bins"
    if role not in roles:
        roles[role] = DelegatedRole(role, [], 1, terminating=True, paths=paths_of(role))
    for keyid in set(roles[role].keyids) - {key.keyid}:
        targets.revoke_key(keyid, role)
    targets.add_key(key, role)
