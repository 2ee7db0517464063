"""The marker of a restore that is not complete: while it is there, no process of the hub starts."""

import json
from pathlib import Path

from cloud_hub.errors import BackupError
from cloud_hub.files import write_private

NAME = "restore-unfinished"
FILES, REPAIRS = "files", "repairs"  # what is under way: copying, or what `andon hub restored` does


def begin(state_dir: Path, source: Path, *, stage: str = FILES) -> None:
    write_private(state_dir / NAME, json.dumps({"source": str(source), "stage": stage}).encode())


def forget(state_dir: Path) -> None:
    (state_dir / NAME).unlink(missing_ok=True)


def stage_of(state_dir: Path) -> str:
    """What an unfinished restore was about; empty where there is none."""
    try:
        return str(json.loads((state_dir / NAME).read_text())["stage"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError):
        return FILES


def refuse_unfinished(state_dir: Path) -> None:
    """``BackupError`` where a restore did not finish: what is there is half a hub."""
    stage = stage_of(state_dir)
    if stage:
        remedy = "`andon hub restored`" if stage == REPAIRS else "`andon hub restore` again"
        raise BackupError(f"a restore into {state_dir} did not finish: run {remedy}")
