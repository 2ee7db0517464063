"""``andon model card``: the page that explains a release to whoever must trust it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.errors import NotFoundError
from cloud_hub.files import write_public


def card(
    release: Annotated[str, typer.Argument(help="Such as motor-health/3.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Write the card of RELEASE, one HTML file: errors by life, calibration, slices, alarms, lineage."""
    from cloud_hub.compiler import bundle  # noqa: PLC0415 - brings ONNX Runtime and compiled kernels
    from cloud_hub.dataset import snapshot  # noqa: PLC0415 - brings Arrow
    from cloud_hub.flows.precisions import no_worse  # noqa: PLC0415 - as above
    from cloud_hub.registry.models import Registry  # noqa: PLC0415 - as above
    from cloud_hub.registry.trace import trace  # noqa: PLC0415 - as above
    from models.use_case import find  # noqa: PLC0415 - as above

    if not out.parent.is_dir():
        raise NotFoundError("folder", str(out.parent))
    settings = HubConfig.load(config)
    artifacts = settings.state_dir / "artifacts"
    with settings.database(most=2) as database:
        registry = Registry(database, artifacts, settings.time())
        traced = trace(registry, release)
        examples = snapshot.find(database, artifacts, traced.source.dataset).examples()
        use_case = find(traced.model.use_case, settings.use_cases)
        made = bundle.assemble(traced, use_case, registry.onnx(traced.model), examples, judging=no_worse)
    page = made.card_html
    write_public(out, page.encode())
    typer.echo(
        json.dumps({"release": release, "path": str(out), "bytes": len(page)}) if as_json else str(out)
    )
