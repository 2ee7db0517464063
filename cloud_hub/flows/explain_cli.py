"""``andon model explain``: which signals drove what a device said last about a machine."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.training.explain import Explanation

BAR = 24  # characters of the strongest effect


def explain(
    machine: Annotated[str, typer.Argument(help="Such as press-04-pump-1.")],
    named: Annotated[str, typer.Argument(help="A use case, or one of its releases.", metavar="USE_CASE")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Explain the newest prediction for MACHINE: what it would have been without each signal."""
    from cloud_hub.flows.explaining import explain_newest  # noqa: PLC0415 - brings ONNX Runtime and kernels
    from cloud_hub.hub import opened  # noqa: PLC0415 - brings the job queue

    with opened(HubConfig.load(config)) as hub:
        told = explain_newest(hub, machine, named)
    if as_json:
        typer.echo(json.dumps(told.to_fields(), default=str))
        return
    typer.echo(f"{told.release} at {told.time.isoformat()}")
    for output, found in told.outputs.items():
        typer.echo("\n".join(_lines(output, found, told.units[output])))
    if told.caution:
        typer.echo(f"  {told.caution}")


def _lines(output: str, found: Explanation, unit: str) -> list[str]:
    name, shown = output.replace("_", " "), "" if unit == "1" else f" {unit.strip('{}')}"
    return [
        f"  {name} {found.answer:.4g}{shown}; of a sound machine it says {found.sound:.4g}{shown}",
        *(
            f"    {signal:<20} {effect:+9.3g}  {'#' * round(abs(effect) / found.strongest * BAR)}".rstrip()
            for signal, effect in found.telling.items()
        ),
        *([f"    nothing by {', '.join(found.idle)}"] if found.idle else []),
    ]
