"""Watching work that `andon hub work` does, from a terminal: until it has ended, one way or the other."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.status import Status

from cloud_hub.errors import ConflictError, HubError, NotFoundError, UnreachableError
from cloud_hub.registry.models import SQL
from cloud_hub.store.database import Database, Row

LOOK_S = 0.25
LONELY_S = 10.0  # after so long in the queue it is worth asking whether anyone works


def run_to_its_end(database: Database, run: str, *, quiet: bool) -> Row:
    """Wait for ``run``; its release, dataset, gate and metrics. HubError with the reason if it failed."""
    console = Console(stderr=True, quiet=quiet)
    began = time.monotonic()
    with console.status(f"{run}: queued") as status:
        while True:
            row = database.row(SQL["run"], {"run": run})
            if row is None:
                raise NotFoundError("run", run)
            if row["state"] == "done":
                return _result(database, row)
            if row["state"] in ("failed", "cancelled"):
                raise HubError(f"{run} {row['state']}: {row['error'] or 'no reason given'}")
            _tell(status, row, time.monotonic() - began)
            time.sleep(LOOK_S)


def until_released(database: Database, release: str, *, failure: Callable[[], str], patience_s: float) -> Row:
    """Wait until ``release`` is signed and published.

    ``failure`` tells why the newest try failed, or nothing: then ConflictError.
    UnreachableError where nobody publishes it in time.
    """
    deadline = time.monotonic() + patience_s
    while True:
        row = database.row(SQL["one"], {"release": release})
        if row is None:
            raise NotFoundError("release", release)
        if row["state"] == "released":
            return row
        if reason := failure():
            raise ConflictError(f"{release} is approved and could not be published: {reason}")
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"{release} is approved and waits to be signed for {patience_s:.0f} s: "
                "does `andon hub work` run?"
            )
        time.sleep(LOOK_S)


def _result(database: Database, run: Row) -> Row:
    model = database.row(SQL["of_run"], {"run": run["id"]})
    if model is None:
        raise NotFoundError("model of run", run["id"])
    return {
        "run": run["id"],
        "use_case": run["use_case"],
        "dataset": run["dataset"],
        "code": run["code"],
        "release": model["release"],
        "state": model["state"],
        "gate": model["gate"],
        "metrics": run["metrics"],
    }


def _tell(status: Status, row: Row, waited_s: float) -> None:
    if row["state"] == "queued":
        hint = ": does `andon hub work` run?" if waited_s > LONELY_S else ""
        status.update(f"{row['id']}: queued{hint}")
    else:
        status.update(f"{row['id']}: {row['stage']} {row['progress']:.0%}")
