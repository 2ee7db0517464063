"""``andon model compile``: engines for a target, ahead of time.

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
from cloud_hub.compiler.publish_cli import kept_in, of_release, sign, signed_as
from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError
from firmware_configs.errors import EngineBuildError, EngineLibraryError
from firmware_configs.profiles import Profile
from wire.bundle import Bundle, file_sha256, read_bundle
from wire.errors import BundleError
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
        list[Precision] | None, typer.Option(help="In this alone; else in all that TARGET allows but tf32.")
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
    from cloud_hub.compiler.targets import precisions, profile_of  # noqa: PLC0415 - as above

    _check_asked(release, bundle, out, check=check, refit=refit, publish=publish)
    profile = profile_of(target)
    made = _brought(bundle) if bundle else of_release(release, target, config, publish=publish)
    folder = None if check else out or kept_in(HubConfig.load(config), target)
    builder = _builder(made, profile, folder, refit=refit, release=release)
    chosen = precisions(profile, made, precision or ())
    if publish and folder:
        for key in map(builder.key, chosen):
            engine_files.restore(folder / key.name, signed_as(HubConfig.load(config), key))
    rows = [_row(builder, one, folder) for one in chosen]
    for row in (row for row in rows if publish and "path" in row):
        row["published"] = sign(HubConfig.load(config), Path(row["path"]))
    told = [line for row in rows for line in engine_lines.lines(row)]
    typer.echo(json.dumps(rows) if as_json else "\n".join(told))
    if not all(row["agrees"] for row in rows):
        raise typer.Exit(1)


def _builder(made: Bundle, profile: Profile, folder: Path | None, *, refit: bool, release: str) -> "Builder":
    """What is loaded as code on a builder host lies in a folder of its user's, not in ``folder``."""
    from cloud_hub.compiler.engines import Builder  # noqa: PLC0415 - brings ONNX Runtime
    from cloud_hub.compiler.workshop import workshop_of  # noqa: PLC0415 - as above

    builds = folder and (folder / "builds" if release else workshop_of(profile.target))
    try:
        return Builder.of(made, profile, folder=builds, refit=refit)
    except EngineLibraryError as error:
        raise ConflictError(f"{error}{_elsewhere(release, profile.target)}") from error


def _check_asked(
    release: str, bundle: Path | None, out: Path | None, *, check: bool, refit: bool, publish: bool
) -> None:
    if bool(release) == bool(bundle):
        raise ConflictError("expected a RELEASE, or --bundle FILE on a builder host: one of them")
    if bundle and not (out or check):
        raise ConflictError("expected --out FOLDER beside --bundle, or --check, which keeps nothing")
    if out and release:
        raise ConflictError(
            "expected --out beside --bundle alone: the hub keeps its engines in its own folder"
        )
    if publish and bundle:
        raise ConflictError(
            "expected --publish with a RELEASE at the hub: what a builder host made is signed there, with"
            " `andon model publish-engine`"
        )
    if check and (publish or refit):
        other = "--publish" if publish else "--refit"
        raise ConflictError(f"expected --check or {other}, got both: --check keeps nothing")


def _brought(file: Path) -> Bundle:
    try:
        return read_bundle(file)
    except BundleError as error:
        raise ConflictError(
            f"{error}: bring what `andon model export RELEASE --bundle FILE` writes at the hub"
        ) from error


def _elsewhere(release: str, target: str) -> str:
    """What else there is to do at a hub that cannot compile for ``target``; nothing on a builder host."""
    if not release:
        return ""
    return (
        f"; or compile on a builder host of {target}: `andon model export {release} --bundle FILE` here,"
        f" `andon model compile --bundle FILE --target {target} --out FOLDER` there, and `andon model"
        " publish-engine` with what it wrote here"
    )


def _row(builder: "Builder", precision: Precision, folder: Path | None) -> dict[str, Any]:
    """What there is to tell of one engine; it is written below ``folder`` where its answers agree."""
    from cloud_hub.compiler import engine_lines  # noqa: PLC0415 - brings ONNX Runtime
    from cloud_hub.compiler.brought import check_brought  # noqa: PLC0415 - as above

    key = builder.key(precision)
    path = folder / key.name if folder else None
    try:
        if path and (known := engine_files.kept(path)):
            check_brought(known, builder.bundle, builder.profile)
            return engine_lines.kept(known.manifest) | {"path": str(path), "sha256": file_sha256(path)}
    except ConflictError as error:  # of one precision; the others are made all the same
        return engine_lines.failed(key, f"{error}; the file there is in the way until you remove {path}")
    try:
        made = builder.compile(precision, datetime.now(UTC))
    except (
        EngineBuildError,
        EngineLibraryError,
    ) as error:  # the driver's word too, such as for want of memory
        return engine_lines.failed(key, str(error))
    row = engine_lines.facts(made)
    if path and made.comparison.agrees:
        engine_files.keep(path, made.engine)
        row |= {"path": str(path), "sha256": file_sha256(path)}
    return row
