"""``andon model compare`` and ``andon model gc``: two releases beside each other, and old files let go."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cloud_hub.config import HubConfig
from cloud_hub.registry.models import Registry
from cloud_hub.registry.printing import DATE
from cloud_hub.registry.wording import figure, size

Config = Annotated[Path | None, typer.Option(help="The hub's configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Release = Annotated[str, typer.Argument(help="Such as motor-health/3.")]


def compare(one: Release, other: Release, as_json: AsJson = False, config: Config = None) -> None:
    """Hold release ONE against OTHER on machines that neither has learnt from."""
    from cloud_hub.training import comparing  # noqa: PLC0415 - the one command that needs it

    settings = HubConfig.load(config)
    with settings.database(most=2) as database:
        registry = Registry(database, settings.state_dir / "artifacts", settings.time())
        models = (registry.get(one), registry.get(other))
    found = comparing.compare(*models).to_fields()
    told = [
        {
            "release": model.release,
            "state": model.state,
            "created": model.created,
            "dataset": model.manifest.lineage.get("dataset"),
        }
        for model in models
    ]
    if as_json:
        typer.echo(json.dumps(found | {"models": told}, default=str))
        return
    Console().print(_table(found, [f"{row['state']}, {row['created']:{DATE}}" for row in told]))
    typer.echo(_sentence(found))
    if told[0]["dataset"] != told[1]["dataset"]:
        datasets = " and ".join(str(row["dataset"]) for row in told)
        typer.echo(f"each was judged on the rows that its own dataset had of these machines: {datasets}")


def gc(
    keep: Annotated[int, typer.Option(help="So many of the newest versions of each use case stay.")] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Remove files of models and datasets that no device runs or may go back to; their rows stay."""
    from cloud_hub.flows.sweeping import sweep  # noqa: PLC0415 - brings the whole hub
    from cloud_hub.hub import opened, person  # noqa: PLC0415 - as above

    with opened(HubConfig.load(config)) as hub:
        found = sweep(hub, actor=person(), keep=keep, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(found.to_fields()))
        return
    verb = "would remove" if dry_run else "removed"
    typer.echo(f"{verb} {len(found.files)} files, {size(found.bytes)}")
    for kind, names in (("release", found.releases), ("dataset", found.datasets)):
        for name in names:
            typer.echo(f"  {kind} {name}")
    for release, why in found.kept.items():
        typer.echo(f"  kept {release}: {', '.join(why)}")


def _table(found: dict[str, Any], states: list[str]) -> Table:
    table = Table("", *found["releases"])
    table.add_row("", *states)
    unit = "" if found["unit"] == "1" else f" [{found['unit'].strip('{}')}]"
    table.add_row(
        f"{found['figure']}{escape(unit)} on {found['machines']} machines", *map(_cell, found["values"])
    )
    for name, (first, second, machines) in found["slices"].items():
        table.add_row(f"  {name} ({machines} machines)", _cell(first), _cell(second))
    for name, pair in (found["beside"] | found["alarms"]).items():
        table.add_row(name.replace("_", " "), *map(_cell, pair))
    table.add_section()
    for name, pair in found["by_machine"].items():
        table.add_row(f"  {name}", *map(_cell, pair))
    return table


def _sentence(found: dict[str, Any]) -> str:
    one, other = found["releases"]
    low, high = found["ratio"]
    ratio = "" if low is None else f", {low:.3g} to {high:.3g} times its {found['figure']} on 90% of draws"
    return (
        f"{one} is better than {other} on {found['machines_better']} of {found['machines']} machines, and on "
        f"{found['chance_better']:.0%} of draws of them{ratio}"
    )


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    return "" if value is None else figure(value) if isinstance(value, float) else str(value)
