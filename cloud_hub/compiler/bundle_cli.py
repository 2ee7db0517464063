"""The bundle of a release, for the commands of this stage: as it was signed, or as it would be."""

from pathlib import Path

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError
from wire.bundle import Bundle, file_sha256, read_bundle


def assembled(settings: HubConfig, release: str) -> Bundle:
    """The bundle that ``release`` has or would have, made anew from its dataset and its network."""
    from cloud_hub.compiler import bundle  # noqa: PLC0415 - brings ONNX Runtime and compiled kernels
    from cloud_hub.dataset import snapshot  # noqa: PLC0415 - brings Arrow
    from cloud_hub.flows.precisions import no_worse  # noqa: PLC0415 - as above
    from cloud_hub.registry.models import Registry  # noqa: PLC0415 - as above
    from cloud_hub.registry.trace import trace  # noqa: PLC0415 - as above
    from models.use_case import find  # noqa: PLC0415 - as above

    artifacts = settings.state_dir / "artifacts"
    with settings.database(most=2) as database:
        registry = Registry(database, artifacts, settings.time())
        traced = trace(registry, release)
        examples = snapshot.find(database, artifacts, traced.source.dataset).examples()
        use_case = find(traced.model.use_case, settings.use_cases)
        onnx = registry.onnx(traced.model)
        return bundle.assemble(traced, use_case, onnx, examples, judging=no_worse)[0]


def signed(settings: HubConfig, release: str) -> Bundle | None:
    """The bundle that devices were given; None where ``release`` is not released."""
    path = signed_file(settings, release)
    return read_bundle(path) if path else None


def signed_file(settings: HubConfig, release: str) -> Path | None:
    """The hub's own copy of it, which is as it was signed; ConflictError where it is gone, or another."""
    from cloud_hub.registry.models import Registry  # noqa: PLC0415 - as above

    artifacts = settings.state_dir / "artifacts"
    with settings.database(most=2) as database:
        model = Registry(database, artifacts, settings.time()).get(release)
    if model.bundle_sha256 is None:
        return None
    if model.removed is not None:
        raise ConflictError(
            f"the files of {release} were removed on {model.removed:%Y-%m-%d} to make room: nothing new is"
            " made for it"
        )
    path = artifacts / "bundles" / f"{release}.zip"
    if not path.exists():
        raise ConflictError(f"the bundle of {release} is gone: restore {path}")
    found = file_sha256(path)
    if found != model.bundle_sha256:
        raise ConflictError(
            f"{path}: expected SHA-256 {model.bundle_sha256[:12]}, got {found[:12]}: restore it"
        )
    return path
