"""Following a rollout from the terminal until it ends, or until it needs a person."""

import time
from collections.abc import Iterator

import typer
from rich.console import Console
from rich.live import Live

from cloud_hub.rollout import read, show
from cloud_hub.store.database import Database

DONE, STOPPED, AWAITS = 0, 3, 4  # exit statuses
LOOK_S = 0.5


def follow(database: Database, rollout: str, *, as_json: bool, until_approval: bool) -> int:
    """Tell of every change until the rollout ends; returns the exit status that says how."""
    looks = _looks(database, rollout, until_approval=until_approval)
    if as_json:
        for found in looks:
            show.as_json(found)
    elif (console := Console()).is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            for found in looks:
                live.update(show.progress(found), refresh=True)
    else:
        for found in looks:
            typer.echo(show.line(found))
    return _status(database, rollout)


def _looks(database: Database, rollout: str, *, until_approval: bool) -> Iterator[read.Summary]:
    told = None
    while True:
        found = read.summary(database, rollout)
        if found != told:
            yield found
        told = found
        if _ended(database, found) or (until_approval and found.rollout.awaiting):
            return
        time.sleep(LOOK_S)


def _ended(database: Database, found: read.Summary) -> bool:
    """An undone rollout has ended once every device is back, or will not be."""
    if found.rollout.state == "undone":
        open_ones, _ = read.sent_back(database, found.rollout.id)
        return open_ones == 0
    return found.rollout.state in ("done", "halted", "aborted")


def _status(database: Database, rollout: str) -> int:
    found = read.summary(database, rollout).rollout
    if found.awaiting:
        return AWAITS
    if found.state == "undone":
        _, failed = read.sent_back(database, rollout)
        return STOPPED if failed else DONE
    return DONE if found.state == "done" else STOPPED
