"""From an approved model to a release: the bundle built once, signed, listed, open to rollouts.

For a child process of `andon hub work`. It may be killed anywhere and run again:
the bundle is kept once built, and publishing the same bytes twice changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from cloud_hub.compiler import bundle
from cloud_hub.compiler.variants import Variant
from cloud_hub.dataset import snapshot
from cloud_hub.errors import ConflictError, HubError
from cloud_hub.flows.precisions import no_worse
from cloud_hub.flows.release import ACTOR, model_of, note_failure
from cloud_hub.flows.runs import SQL
from cloud_hub.hub import Hub
from cloud_hub.registry.models import Registry
from cloud_hub.registry.trace import Trace, trace
from cloud_hub.signing.repository import Repository
from kernels.errors import KernelError
from models import use_case as use_cases
from models.errors import ModelError
from wire.bundle import read_bundle
from wire.errors import WireError

SENTENCES = (HubError, ModelError, KernelError, WireError, OSError)  # their text says it all


def execute(hub: Hub, release: str) -> None:
    """Publish ``release``: for a child process of the worker. A failure is kept for whoever waits."""
    try:
        publish(hub, release)
    except SENTENCES as error:
        note_failure(hub, release, str(error))
    except Exception as error:
        note_failure(hub, release, f"{type(error).__name__}: {error}")
        raise


def publish(hub: Hub, release: str) -> None:
    """Build the bundle of an approved ``release``, sign it, and open the way for rollouts."""
    with hub.database.transaction() as connection:
        model = model_of(connection, release)
    if model["state"] == "released":
        return
    if model["state"] != "approved":
        raise ConflictError(f"expected {release} to be approved, it is {model['state']}")
    path = _bundle(hub, release)
    published = Repository.of(hub.config).publish_bundle(path, f"bundles/{release}.zip")
    facts = {"path": published.target_path, "sha256": published.sha256, "bytes": published.bytes}
    with hub.database.transaction() as connection:
        values = {"release": release, "now": hub.clock.now()} | facts
        if connection.execute(SQL["release"], values).rowcount:
            hub.record(
                connection,
                actor=ACTOR,
                action="release.publish",
                subject=release,
                detail=facts | {"precisions": [*read_bundle(path).variants]},  # beside float32
                correlation=model["correlation"],
            )


def _bundle(hub: Hub, release: str) -> Path:
    """The bundle file of ``release``, built once: what is published under its path never changes."""
    path = hub.artifacts / "bundles" / f"{release}.zip"
    if path.exists():
        return path
    registry = Registry(hub.database, hub.artifacts, hub.clock)
    traced = trace(registry, release)
    dataset = snapshot.find(hub.database, hub.artifacts, traced.source.dataset)
    partial = path.with_suffix(".new")
    use_case = use_cases.find(traced.model.use_case, hub.config.use_cases)
    onnx = registry.onnx(traced.model)
    weighed = bundle.build(traced, use_case, onnx, dataset.examples(), partial, judging=no_worse)
    if weighed:
        _note_weighed(hub, traced, weighed)
    partial.replace(path)
    return path


def _note_weighed(hub: Hub, traced: Trace, weighed: Sequence[Variant]) -> None:
    """Which other precisions the bundle has and which not, with the reason; before it can be signed."""
    with hub.database.transaction() as connection:
        hub.record(
            connection,
            actor=ACTOR,
            action="release.weigh",
            subject=traced.model.release,
            detail={"precisions": {str(each.precision): each.told() for each in weighed}},
            correlation=traced.source.correlation,
        )
