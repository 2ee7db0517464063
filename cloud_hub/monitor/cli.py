"""``andon data drift``: how far a use case has moved from what its release learnt, and what came of it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cloud_hub.config import HubConfig

if TYPE_CHECKING:
    from models.declared.retraining import Drift

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DATE = "%Y-%m-%d %H:%M"


def drift(
    use_case: Annotated[str, typer.Argument(help="Such as motor-health.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Hold recent rows of USE_CASE against the dataset of its champion; starts nothing."""
    from cloud_hub.flows import triggers  # noqa: PLC0415 - brings the job queue
    from cloud_hub.hub import opened  # noqa: PLC0415 - as above
    from cloud_hub.monitor.triggers import SQL  # noqa: PLC0415 - as above
    from models.use_case import find  # noqa: PLC0415 - as above

    settings = HubConfig.load(config)
    chosen = find(use_case, settings.use_cases)
    with opened(settings) as hub:
        looked = triggers.look(hub, chosen, whatever=True)
        earlier = hub.database.rows(SQL["checks"], {"use_case": use_case})
    figures = looked.figures or {"why_not": _lacks(use_case, chosen.retrain.drift, looked.release)}
    if as_json:
        row = {
            "use_case": use_case,
            "release": looked.release,
            "reasons": looked.reasons,
            "held": looked.held,
        }
        typer.echo(json.dumps(row | {"drift": figures, "checks": earlier}, default=str))
        return
    _print(figures, looked.reasons, looked.held)
    for check in earlier:
        made = f": {check['made']} ({check['made_state']})" if check["made"] else ""
        came = (
            f"{check['run']} ({check['state']}){made}" if check["run"] else check["held"] or "nothing to do"
        )
        told = "; ".join(check["reasons"])
        typer.echo(f"{check['checked']:{DATE}}  {told + ' -> ' if told else ''}{came}")


def _lacks(use_case: str, rule: "Drift | None", champion: str | None) -> str:
    """What it takes to judge drift and is not there."""
    lacking = [] if rule else ["declares no [retrain.drift]"]
    lacking += [] if champion else ["has no champion yet: a rollout that is done makes one of its release"]
    return f"{use_case} {' and '.join(lacking)}"


def _print(figures: Any, reasons: tuple[str, ...], held: str) -> None:
    if "why_not" in figures:
        typer.echo(f"drift is not judged: {figures['why_not']}")
    else:
        _print_figures(figures)
    for reason in reasons:
        typer.echo(f"calls for a training: {reason}")
    if held:
        typer.echo(f"nothing is started now: {held}")


def _print_figures(figures: Any) -> None:
    table = Table("condition", "of", "machines", "size", "noise", "moved furthest")
    for row in figures["comparisons"]:
        if row["why_not"]:
            table.add_row(str(row["condition"]), row["about"], str(row["machines"]), "", "", row["why_not"])
            continue
        moved = ", ".join(f"{each['variable']} {each['psi']:.2f}" for each in row["moved"][:3])
        sizes = (f"{row['size']:.2f}", f"{row['noise']:.2f}")
        table.add_row(str(row["condition"]), row["about"], str(row["machines"]), *sizes, moved)
    Console().print(table)
    shares = zip(figures["mix_before"], figures["mix"], strict=True)
    mix = ", ".join(
        f"{number}: {before:.0%} then, {now:.0%} now" for number, (before, now) in enumerate(shares)
    )
    typer.echo(f"rows by condition: {mix}; new to the dataset: {figures['unknown']:.0%}")
