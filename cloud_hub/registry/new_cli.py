"""``andon model new``: a use case of this hub's own, begun from what its machines say of themselves."""

import json
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError
from cloud_hub.files import write_public
from cloud_hub.store.database import Database, load_queries
from models.declared.machines import Signal
from models.scaffold import scaffold
from models.use_case import names
from wire.table import SignalTable

SQL = load_queries("cloud_hub.registry", "new.sql")


class TaskName(StrEnum):
    REMAINING_LIFE = "remaining-life"
    ANOMALY = "anomaly"
    FAULT_CLASS = "fault-class"


def new(
    name: Annotated[str, typer.Argument(help="Of the use case, such as press-life.")],
    machine_class: Annotated[str, typer.Option(help="Of the machines it is about, as they were born.")],
    *,
    task: Annotated[TaskName, typer.Option(help="What its model tells.")] = TaskName.REMAINING_LIFE,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault class to tell apart; again for each.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Begin a use case: a file with every decision in it, its signals as machines of the class have them."""
    settings = HubConfig.load(config)
    path = settings.use_cases / f"{name}.toml"
    if name in names(settings.use_cases):
        raise ConflictError(f"expected a new name, there is a use case {name} already")
    with settings.database(most=2) as database:
        signals, feature_set, others = _of_class(database, machine_class)
    text = scaffold(
        name,
        task=task.value,
        machine_class=machine_class,
        feature_set=feature_set,
        signals=signals,
        faults=tuple(fault or ()),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_public(path, text.encode())
    if as_json:
        typer.echo(
            json.dumps({"use_case": name, "path": str(path), "signals": len(signals), "left_out": others})
        )
        return
    typer.echo(f"{path}\n  read it, change what does not fit, then `andon model train {name}`")
    if others:
        typer.echo(f"  left out for their other signals: {', '.join(others)}")


def _of_class(database: Database, machine_class: str) -> tuple[tuple[Signal, ...], str, list[str]]:
    """What most machines of the class have, their feature set, and who differs."""
    found: dict[str, tuple[tuple[Signal, ...], str]] = {
        row["name"]: (_signals(row), row["feature_set"])
        for row in database.rows(SQL["of_class"], {"machine_class": machine_class})
    }
    if not found:
        known = ", ".join(row["machine_class"] for row in database.rows(SQL["classes"])) or "none yet"
        raise ConflictError(
            f"expected a class of machines that the store knows ({known}), got {machine_class!r}"
        )
    (signals, feature_set), _ = Counter(found.values()).most_common(1)[0]
    return signals, feature_set, sorted(name for name, has in found.items() if has != (signals, feature_set))


def _signals(row: dict[str, Any]) -> tuple[Signal, ...]:
    table = SignalTable.from_fields(row["body"])
    own = [signal for signal in table.signals if signal.machine == row["place"]]
    return tuple(Signal.model_validate({"name": s.name, "unit": s.unit, "kind": str(s.kind)}) for s in own)
