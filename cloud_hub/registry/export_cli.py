"""``andon model export``: a release taken elsewhere, its network alone or all that devices were given."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.compiler.bundle_cli import signed_file
from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.files import copy_public, write_public
from cloud_hub.registry.models import Registry
from wire.bundle import file_sha256


def export(
    release: Annotated[str, typer.Argument(help="Such as motor-health/3.")],
    out: Annotated[Path | None, typer.Option(help="The ONNX file to write.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle file to write, for `andon model compile --bundle`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Write the network of RELEASE as ONNX, or its signed bundle for a builder host."""
    place = out or bundle
    if place is None or (out and bundle):
        raise ConflictError(
            "expected --out FILE for the network, or --bundle FILE for all of it: one of them"
        )
    if not place.parent.is_dir():
        raise NotFoundError("folder", str(place.parent))
    settings = HubConfig.load(config)
    sha256 = _write_bundle(settings, release, place) if bundle else _write_network(settings, release, place)
    shown = {"release": release, "out": str(place), "sha256": sha256}
    typer.echo(json.dumps(shown) if as_json else f"wrote {place}: {sha256}")


def _write_bundle(settings: HubConfig, release: str, place: Path) -> str:
    """Its SHA-256, as it was signed."""
    file = signed_file(settings, release)
    if file is None:
        raise ConflictError(f"{release} is not released: `andon model approve {release}` makes its bundle")
    copy_public(file, place)
    return file_sha256(place)


def _write_network(settings: HubConfig, release: str, place: Path) -> str:
    """Its SHA-256, as it was registered."""
    with settings.database(most=2) as database:
        registry = Registry(database, settings.state_dir / "artifacts", settings.time())
        model = registry.get(release)
        write_public(place, registry.onnx(model))
    return model.onnx_sha256
