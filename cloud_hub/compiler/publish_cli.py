"""``andon model publish-engine``: what a builder host made, signed by the hub under its target's role.

And what signing takes from whoever does it: the released bundle, a key that may vouch, the hub's own copy.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.compiler import engine_files
from cloud_hub.compiler.bundle_cli import assembled, signed
from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError
from wire.bundle import Bundle, file_sha256
from wire.engine import EngineKey, read_engine

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def publish_engine(
    engine: Annotated[Path, typer.Argument(help="What `andon model compile --bundle` wrote.")],
    *,
    sha256: Annotated[str, typer.Option(help="Of the file, as the builder host told it.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Sign ENGINE, which a builder host made, for every device of its target.

    A plan runs as code on whoever loads it: bring none from anywhere but a host that you run for this.
    """
    from cloud_hub.compiler.brought import check_brought  # noqa: PLC0415 - brings every stage
    from cloud_hub.compiler.targets import profile_of  # noqa: PLC0415 - as above

    settings = HubConfig.load(config)
    with engine_files.brought(engine, sha256, kept_in(settings, "")) as (copy, made):
        key = made.manifest.key
        profile = profile_of(key.target)
        bundle = of_release(f"{key.use_case}/{key.version}", key.target, config, publish=True)
        check_brought(made, bundle, profile)
        place = kept_in(settings, key.target) / key.name
        engine_files.restore(place, signed_as(settings, key))
        engine_files.keep_copy(copy, place)
    path = sign(settings, place)
    told = {"path": path, "sha256": file_sha256(place)}
    typer.echo(json.dumps(told) if as_json else f"signed as {path}")


def of_release(release: str, target: str, config: Path | None, *, publish: bool) -> Bundle:
    """Its bundle; to ``publish`` an engine of it, as it was signed, and only where a key may vouch for it."""
    settings = HubConfig.load(config)
    found = signed(settings, release)
    if publish:
        _check_role(settings, target)
        if found is None:
            raise ConflictError(f"{release} is not released: approve it before engines of it are signed")
    return found or assembled(settings, release)


def _check_role(settings: HubConfig, target: str) -> None:
    from cloud_hub.signing.repository import Repository  # noqa: PLC0415 - brings TUF
    from cloud_hub.signing.roles import engines_role  # noqa: PLC0415 - as above

    repository = Repository.of(settings)
    if not repository.exists() or engines_role(target) not in repository.shelf.delegated():
        raise ConflictError(
            f"nobody may vouch for engines of {target} yet: `andon keys delegate --engine-target {target}"
            " --offline DIRECTORY` makes the key, which lies with the hub's online keys, or with the signer"
            " that hub.toml names"
        )


def kept_in(settings: HubConfig, target: str) -> Path:
    from cloud_hub.registry.keeping import ENGINES  # noqa: PLC0415 - brings the database

    return settings.state_dir / "artifacts" / ENGINES / target


def signed_as(settings: HubConfig, key: EngineKey) -> Path | None:
    """What devices are given under the name of ``key``; None where none is signed."""
    from cloud_hub.signing.repository import Repository  # noqa: PLC0415 - brings TUF
    from cloud_hub.signing.roles import engine_path, engines_role  # noqa: PLC0415 - as above

    repository = Repository.of(settings)
    listing = repository.shelf.listed(engines_role(key.target)).signed.targets
    target = listing.get(engine_path(key.target, key.name))
    return repository.place(target) if target else None


def sign(settings: HubConfig, file: Path) -> str:
    """List ``file`` under its target's role, and say so in the audit chain; returns its target path."""
    from cloud_hub.signing.offline_cli import record  # noqa: PLC0415 - brings TUF
    from cloud_hub.signing.repository import Repository  # noqa: PLC0415 - as above

    manifest = read_engine(file).manifest
    published = Repository.of(settings).publish_engine(file, manifest.key.target, manifest.key.name)
    told = {"sha256": published.sha256, "worst": manifest.worst, "compared_on": manifest.compared_on}
    record(settings, "engine.publish", published.target_path, told)
    return published.target_path
