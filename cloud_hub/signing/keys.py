"""Making every signing key once, and the first signed metadata.

What was cut short is finished by running it again: a note beside the online keys
tells keys that an unfinished ``init`` made from keys that are somebody's.
"""

from collections.abc import Sequence
from pathlib import Path

from tuf.api.metadata import Metadata, Root, Targets

from cloud_hub.config import SigningSettings
from cloud_hub.errors import ConflictError
from cloud_hub.files import locked, private_folder, write_private
from cloud_hub.signing import passphrase
from cloud_hub.signing.delegations import delegate
from cloud_hub.signing.keyring import Keyring, raw_ed25519
from cloud_hub.signing.passphrase import Secret
from cloud_hub.signing.press import Press
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.roles import (
    BUNDLES,
    DIRECTOR,
    DIRECTORS_FILE,
    OFFLINE,
    ONLINE,
    ROOT_KEYS,
    ROOT_THRESHOLD,
    TARGETS,
    TOP_LEVEL,
    engines_role,
)
from cloud_hub.signing.standing import RoleStatus, note_offline, status
from wire.directive import Director, Directors

__all__ = ["RoleStatus", "init", "status"]


def init(
    state_dir: Path,
    offline: Path,
    *,
    engine_targets: Sequence[str] = (),
    offline_secret: Secret | None = None,
    settings: SigningSettings | None = None,
) -> list[RoleStatus]:
    """Make every key and the first signed metadata; nothing that exists is ever overwritten.

    The online keys are always sealed; the offline ones with ``offline_secret``.
    """
    online = Keyring.online(state_dir, settings)
    rings = (Keyring(offline, offline_secret), online)
    repository = Repository(state_dir, online=online, offline=rings[0])
    with locked(private_folder(online.folder) / "lock"):
        unfinished = online.folder / "unfinished"
        _check_nothing_there(repository, rings, unfinished)
        write_private(unfinished, str(offline.resolve()).encode())
        passphrase.make(passphrase.online_place(state_dir, settings or SigningSettings()))
        engines = [engines_role(target) for target in engine_targets]
        for ring, names in zip(rings, (OFFLINE, (*ONLINE, *engines)), strict=True):
            for name in names:
                ring.make(name)
        _begin(repository, [BUNDLES, *engines])
        note_offline(state_dir, offline)
        unfinished.unlink()
    return status(state_dir, settings=settings)


def _check_nothing_there(repository: Repository, rings: Sequence[Keyring], unfinished: Path) -> None:
    offline = str(rings[0].folder.resolve())
    begun = unfinished.read_text() if unfinished.exists() else None
    if begun not in (None, offline):
        raise ConflictError(
            f"`keys init --offline {begun}` was cut short: finish it, got --offline {offline}"
        )
    for ring in rings if begun is None else ():
        if ring.files():
            raise ConflictError(f"{ring.folder} holds keys already: they are never overwritten")
    if begun is None and repository.exists():
        raise ConflictError(f"{repository.shelf.root_file} is there already: its keys are elsewhere")


def _begin(repository: Repository, delegated: Sequence[str]) -> None:
    for folder in (repository.metadata_folder, repository.targets_folder):
        folder.mkdir(parents=True, exist_ok=True)
    press, shelf = repository.press, repository.shelf
    with shelf.locked():
        if not shelf.root_file.exists():
            press.publish_root(_first_root(press), None)
            lists = {role: Metadata(Targets()) for role in delegated}
            press.publish({TARGETS: _first_targets(repository, delegated), **lists})
            shelf.write_root_file()  # last: its presence says the repository is whole


def _first_root(press: Press) -> Metadata[Root]:
    root = Root(consistent_snapshot=True)
    for name in ROOT_KEYS:
        root.add_key(press.ring(name).public(name), "root")
    for role in TOP_LEVEL:
        root.add_key(press.ring(role).public(role), role)
    root.roles["root"].threshold = ROOT_THRESHOLD
    return Metadata(root)


def _first_targets(repository: Repository, delegated: Sequence[str]) -> Metadata[Targets]:
    online = repository.press.online
    director = Director(public_key=raw_ed25519(online.public(DIRECTOR)))
    content = Directors(directors=(director,)).to_json()
    targets = Targets(targets={DIRECTORS_FILE: repository.put(DIRECTORS_FILE, content)})
    for role in delegated:
        delegate(targets, role, online.public(role))
    return Metadata(targets)
