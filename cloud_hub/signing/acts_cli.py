"""``andon keys rotate``, ``revoke``, ``renew``, ``delegate``: what takes the offline keys.

Each may be cut short and run again, and needs nothing to be restarted: keys are
opened at each use, and devices follow the signed metadata by themselves.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.errors import TrustError, UnreachableError
from cloud_hub.signing import rotation
from cloud_hub.signing.offline_cli import Config, Json, Offline, PassphraseFile, opened, record, tell
from cloud_hub.signing.repository import Repository
from cloud_hub.signing.roles import BUNDLES, DIRECTOR
from cloud_hub.signing.rotation import Genuine, Replaced
from cloud_hub.store.database import load_queries
from firmware_configs.profiles import Runtime, profiles

SQL = load_queries("cloud_hub.signing")

Roles = Annotated[
    list[str],
    typer.Argument(
        help="root-1, root-2, root-3, targets, snapshot, timestamp, bundles, director, "
        "engines-TARGET, or online for all that the hub holds."
    ),
]


def rotate(
    roles: Roles,
    *,
    offline: Offline,
    overlap: Annotated[
        float | None,
        typer.Option(min=0, help="Days that an old director stays listed; else directive_days of hub.toml."),
    ] = None,
    offline_passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Put new keys in the place of ROLES, whose old ones nobody stole; no device notices."""
    settings = HubConfig.load(config)
    repository = opened(settings, offline, offline_passphrase_file)
    names = rotation.named(repository, roles, stolen=False)
    days = settings.directive_days if overlap is None else overlap
    leaves = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) if days else None
    done = rotation.replace(repository, names, old_director_leaves=leaves)
    record(settings, "keys.rotate", ",".join(names), {"keys": dict(done.keys), "root": done.root_version})
    sentences = _said(done, repository, offline)
    if DIRECTOR in names and leaves:
        sentences.append(
            f"the old director stays listed, for what devices were sent already; after {leaves:%Y-%m-%d} "
            "`andon keys director list` tells which to remove"
        )
    tell(_facts(done), sentences, as_json=as_json)


def revoke(
    roles: Roles,
    *,
    offline: Offline,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A target path that is ours; without any, the hub's database tells for bundles."),
    ] = None,
    keep_listed: Annotated[
        bool, typer.Option("--keep-listed", help="Keep all that is listed now: the key was lost, not stolen.")
    ] = False,
    offline_passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Put new keys in the place of ROLES, which somebody stole: what only they vouched for holds no more."""
    settings = HubConfig.load(config)
    repository = opened(settings, offline, offline_passphrase_file)
    names = rotation.named(repository, roles, stolen=True)
    genuine = {} if keep_listed else _genuine(settings, repository, names, keep or ())
    done = rotation.replace(repository, names, genuine=genuine)
    detail = {"keys": dict(done.keys), "root": done.root_version, "dropped": done.dropped}
    record(settings, "keys.revoke", ",".join(names), detail)
    sentences = _said(done, repository, offline)
    sentences += [f"no longer listed, not known to be ours: {path}" for path in done.dropped]
    if DIRECTOR in names:
        sentences.append("`andon hub work` signs anew, within seconds, what devices have not accepted yet")
    tell(_facts(done), sentences, as_json=as_json)


def renew(
    *,
    offline: Offline,
    offline_passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Sign root and targets anew, with the keys they have, before they expire."""
    settings = HubConfig.load(config)
    repository = opened(settings, offline, offline_passphrase_file)
    done = rotation.renew(repository)
    record(settings, "keys.renew", "root,targets", {"root": done.root_version})
    tell(_facts(done), _said(done, repository, offline), as_json=as_json)


def delegate(
    *,
    engine_target: Annotated[
        str, typer.Option(help="The compile target whose shared engines it vouches for.")
    ],
    offline: Offline,
    offline_passphrase_file: PassphraseFile = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Make an online key that vouches for the shared engines of one compile target."""
    settings = HubConfig.load(config)
    repository = opened(settings, offline, offline_passphrase_file)
    role = rotation.delegate_engines(repository, known_target(engine_target))
    record(settings, "keys.delegate", role, {})
    tell({"role": role}, [f"{role} may list engines/{engine_target}/*", _away(offline)], as_json=as_json)


def known_target(name: str) -> str:
    """``name`` where it is the target of a device profile that engines are compiled for."""
    compiled = (one for one in profiles().values() if one.runtime is not Runtime.ONNXRUNTIME)
    known = sorted({profile.target for profile in compiled})
    if name not in known:
        raise TrustError(f"expected a compile target, one of {', '.join(known)}, got {name!r}")
    return name


def _genuine(
    settings: HubConfig, repository: Repository, names: Sequence[str], keep: Sequence[str]
) -> Mapping[str, Genuine]:
    """What each role may go on listing: of bundles what this hub released, else what the operator names."""
    found: dict[str, Genuine] = {}
    for role in (name for name in names if name in repository.shelf.delegated()):
        listed = {
            path: target.hashes["sha256"]
            for path, target in repository.shelf.listed(role).signed.targets.items()
        }
        kept = {path: listed[path] for path in keep if path in listed}
        found[role] = (_released(settings) if role == BUNDLES and not kept else {}) | kept
    return found


def _released(settings: HubConfig) -> dict[str, str]:
    try:
        with settings.database(most=1) as database:
            rows = database.rows(SQL["released_bundles"])
    except UnreachableError as error:
        raise UnreachableError(
            f"which bundles are ours stands in the hub's database: {error}; or name each by --keep PATH, "
            "or say --keep-listed where nothing can have been added"
        ) from error
    return {row["bundle_path"]: row["bundle_sha256"] for row in rows}


def _facts(done: Replaced) -> dict[str, object]:
    return {
        "keys": dict(done.keys),
        "root_version": done.root_version,
        "timestamp_version": done.timestamp_version,
        "dropped": list(done.dropped),
    }


def _said(done: Replaced, repository: Repository, offline: Path) -> list[str]:
    sentences = [f"{name}: new key {key}" for name, key in done.keys.items()]
    sentences.append(f"in force: root {done.root_version}, timestamp {done.timestamp_version}")
    sentences += [
        f"now name the signer of {name}.next as {name} in hub.toml, and take {name}.next out"
        for name in done.keys
        if repository.press.ring(name).is_remote(f"{name}.next")
    ]
    return [*sentences, _away(offline), "restart nothing; make a new backup: earlier ones know other keys"]


def _away(offline: Path) -> str:
    return f"carry {offline} away again"
