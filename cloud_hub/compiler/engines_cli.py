"""``andon model compile`` and ``andon model publish-engine``: engines for a target, ahead of time.

Who compiles is the hub, where TensorRT for RTX does it without a GPU, or a builder host that the operator
runs: a Jetson on the desk is given the bundle file, and its engine is carried to the hub, which signs it
under ``engines-<target>``. No device of the fleet ever makes what another one loads.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_hub.compiler import engine_files
from cloud_hub.compiler.bundle_cli import assembled, signed
from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError
from firmware_configs.errors import EngineBuildError
from wire.bundle import Bundle, file_sha256, read_bundle
from wire.engine import EngineKey, read_engine
from wire.precision import Precision

if TYPE_CHECKING:
    from cloud_hub.compiler.engines import Builder

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def compile_(
    release: Annotated[str, typer.Argument(help="Such as motor-health/3; none with --bundle.")] = "",
    *,
    target: Annotated[str, typer.Option(help="What to compile for, such as rtx.")],
    precision: Annotated[
        list[Precision] | None, typer.Option(help="In this alone; else in all that TARGET allows.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="On a builder host: the bundle file, brought from the hub.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder for engines; with --bundle.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare and time; keep nothing.")] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="Weights into an engine of this shape that was built before.")
    ] = False,
    publish: Annotated[bool, typer.Option("--publish", help="Sign them for all devices of TARGET.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Compile RELEASE for TARGET and hold its answers against ONNX Runtime. Exit 1 where one is too far off.

    Compared and timed is what can run here: the engine on a GPU of TARGET, else its network on the CPU.
    """
    from cloud_hub.compiler import engine_lines  # noqa: PLC0415 - brings ONNX Runtime
    from cloud_hub.compiler.engines import Builder  # noqa: PLC0415 - as above
    from cloud_hub.compiler.targets import precisions, profile_of  # noqa: PLC0415 - as above

    _check_asked(release, bundle, out, check=check, publish=publish)
    profile = profile_of(target)
    made = read_bundle(bundle) if bundle else _of_release(release, target, config, publish=publish)
    folder = None if check else out or _kept(HubConfig.load(config), target)
    builder = Builder.of(made, profile, folder=folder and folder / "builds", refit=refit)
    chosen = precisions(profile, made, precision or ())
    if publish and folder:
        for key in map(builder.key, chosen):
            engine_files.restore(folder / key.name, _signed(HubConfig.load(config), key))
    rows = [_row(builder, one, folder) for one in chosen]
    for row in (row for row in rows if publish and "path" in row):
        row["published"] = _sign(HubConfig.load(config), Path(row["path"]))
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        typer.echo("\n".join(line for row in rows for line in engine_lines.lines(row)))
    if not all(row["agrees"] for row in rows):
        raise typer.Exit(1)


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
    with engine_files.brought(engine, sha256, _kept(settings, "")) as (copy, made):
        key = made.manifest.key
        profile = profile_of(key.target)
        bundle = _of_release(f"{key.use_case}/{key.version}", key.target, config, publish=True)
        check_brought(made, bundle, profile)
        place = _kept(settings, key.target) / key.name
        engine_files.restore(place, _signed(settings, key))
        engine_files.keep_copy(copy, place)
    path = _sign(settings, place)
    told = {"path": path, "sha256": file_sha256(place)}
    typer.echo(json.dumps(told) if as_json else f"signed as {path}")


def _check_asked(release: str, bundle: Path | None, out: Path | None, *, check: bool, publish: bool) -> None:
    if bool(release) == bool(bundle):
        raise ConflictError("expected a RELEASE, or --bundle FILE on a builder host: one of them")
    if bundle and not (out or check):
        raise ConflictError("expected --out FOLDER beside --bundle, or --check, which keeps nothing")
    if publish and (bundle or check):
        raise ConflictError(
            "expected --publish with a release that is compiled and kept here: what a builder host made is"
            " signed at the hub, with `andon model publish-engine`"
        )


def _of_release(release: str, target: str, config: Path | None, *, publish: bool) -> Bundle:
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


def _row(builder: "Builder", precision: Precision, folder: Path | None) -> dict[str, Any]:
    """What there is to tell of one engine; it is written below ``folder`` where its answers agree."""
    from cloud_hub.compiler import engine_lines  # noqa: PLC0415 - brings ONNX Runtime
    from cloud_hub.compiler.brought import check_brought  # noqa: PLC0415 - as above

    key = builder.key(precision)
    path = folder / key.name if folder else None
    if path and (known := engine_files.kept(path)):
        check_brought(known, builder.bundle, builder.profile)
        return engine_lines.kept(known.manifest) | {"path": str(path), "sha256": file_sha256(path)}
    try:
        made = builder.compile(precision, datetime.now(UTC))
    except EngineBuildError as error:
        return engine_lines.failed(key, str(error))
    row = engine_lines.facts(made)
    if path and made.comparison.agrees:
        engine_files.keep(path, made.engine)
        row |= {"path": str(path), "sha256": file_sha256(path)}
    return row


def _kept(settings: HubConfig, target: str) -> Path:
    from cloud_hub.registry.keeping import ENGINES  # noqa: PLC0415 - brings the database

    return settings.state_dir / "artifacts" / ENGINES / target


def _signed(settings: HubConfig, key: EngineKey) -> Path | None:
    """What devices are given under the name of ``key``; None where none is signed."""
    from cloud_hub.signing.repository import Repository  # noqa: PLC0415 - brings TUF
    from cloud_hub.signing.roles import engine_path, engines_role  # noqa: PLC0415 - as above

    repository = Repository.of(settings)
    listing = repository.shelf.listed(engines_role(key.target)).signed.targets
    target = listing.get(engine_path(key.target, key.name))
    return repository.place(target) if target else None


def _sign(settings: HubConfig, file: Path) -> str:
    """List ``file`` under its target's role, and say so in the audit chain; returns its target path."""
    from cloud_hub.signing.offline_cli import record  # noqa: PLC0415 - brings TUF
    from cloud_hub.signing.repository import Repository  # noqa: PLC0415 - as above

    manifest = read_engine(file).manifest
    published = Repository.of(settings).publish_engine(file, manifest.key.target, manifest.key.name)
    told = {"sha256": published.sha256, "worst": manifest.worst, "compared_on": manifest.compared_on}
    record(settings, "engine.publish", published.target_path, told)
    return published.target_path
