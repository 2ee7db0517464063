"""What a running hub says of its processes: the supervisor writes it, `andon hub status` reads it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """``pid`` is None while it waits to be started again."""

    pid: int | None
    restarts: int


def write_processes(state_dir: Path, processes: Mapping[str, Process]) -> None:
    file = state_dir / "run" / "processes.json"
    partial = file.with_suffix(".new")
    partial.write_text(json.dumps({name: asdict(each) for name, each in processes.items()}))
    partial.replace(file)


def read_processes(state_dir: Path) -> dict[str, Process]:
    """By name: postgres and broker where the hub runs its own, ingest (ingest-1, ingest-2, …), work, web."""
    try:
        said = json.loads((state_dir / "run" / "processes.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: Process(**each) for name, each in said.items()}


def runs(pid: int) -> bool:
    """Whether a process of that number is there; a hub that was killed leaves its files behind."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
