"""What the agent says of itself on its own disk, about once a second: ``state_dir/status.json``.

A reader sees the old file or the new one, never half of one, and can tell a
living agent from the file a dead one left by its process.
"""

import json
import os
from pathlib import Path
from typing import Any

from edge_agent.errors import EdgeError

FILE = "status.json"


class StatusError(EdgeError):
    """There is no status to show."""


def write(state_dir: Path, status: dict[str, Any]) -> None:
    partial = state_dir / f"{FILE}.new"
    partial.write_text(json.dumps(status, indent=1, default=str) + "\n")
    partial.replace(state_dir / FILE)


def read(state_dir: Path) -> dict[str, Any]:
    """The last status, with ``alive`` saying whether its agent still runs."""
    file = state_dir / FILE
    try:
        status: Any = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise StatusError(f"no agent has run in {state_dir}: start one with `andon edge run`") from error
    except (OSError, ValueError) as error:
        raise StatusError(f"{file} cannot be read: {error}") from error
    if not isinstance(status, dict):
        raise StatusError(f"{file} cannot be read: expected one JSON object, got {type(status).__name__}")
    return status | {"alive": status.get("state") != "stopped" and _runs(int(status.get("pid", 0)))}


def last_position(state_dir: Path, source: str) -> tuple[int, int]:
    """Position of the newest reading that the last status knew, and from when on the hub may lack some.

    Zeros where there is no status.
    """
    try:
        found = read(state_dir)
        row, waiting_us = found["sources"][source], int(found["outbox"].get("oldest_us", 0))
        newest_us = int(row["newest_us"])
        return int(row["position"]), min(waiting_us or newest_us, newest_us)
    except (StatusError, KeyError, TypeError, ValueError):
        return 0, 0


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
