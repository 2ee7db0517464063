"""Asking for a retraining: a run to watch, and the job that works it off, together or not at all.

The work is in :mod:`cloud_hub.flows.candidate`, done by a child process of `andon hub work`.
"""

import shutil
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows.runs import SQL
from cloud_hub.hub import Hub
from cloud_hub.jobs import queue
from cloud_hub.store.database import Connection
from cloud_hub.terminal import printable
from models import use_case as use_cases
from wire.bundle import file_sha256

TAKEN_ALONG = ("onnx", "learnt_from", "since")  # by a run that does another's work again; a person asks now
MOST_NAMED = 8  # of the machines in a sentence


def request(
    hub: Hub,
    use_case: str,
    *,
    actor: str,
    onnx: Path | None = None,
    learnt_from: Path | None = None,
    correlation: str | None = None,
    alone: bool = False,
) -> str:
    """Queue a training of ``use_case`` and return the run's id.

    ``onnx`` brings a network made elsewhere: it is judged, bundled and signed
    like a trained one. ``learnt_from`` names the machines it learnt from, one a line;
    without it, it may have learnt from all. ``correlation`` ties the run to what caused it.
    With ``alone``, ``ConflictError`` while another run of the use case waits or is at work.
    """
    chosen = use_cases.find(use_case, hub.config.use_cases)
    settings: dict[str, Any] = {}
    if learnt_from:
        settings["learnt_from"] = _names(learnt_from, onnx)
        _check_known(hub, learnt_from, settings["learnt_from"], chosen.machine_class)
    settings |= {"onnx": _keep(hub, onnx)} if onnx else {}
    with hub.database.transaction() as connection:
        connection.execute(SQL["lock_runs"])
        if alone:
            _check_idle(connection, use_case)
        return _queue(hub, connection, use_case, actor=actor, settings=settings, correlation=correlation)


def request_once(hub: Hub, use_case: str, *, actor: str, mark: str) -> tuple[str, bool]:
    """``request`` for a form, whose own ``mark`` comes along: sent twice, it is the run of the first time.

    The run, and whether it is new.
    """
    use_cases.find(use_case, hub.config.use_cases)
    with hub.database.transaction() as connection:
        connection.execute(SQL["lock_runs"])
        known = connection.execute(SQL["marked"], {"use_case": use_case, "mark": mark}).fetchone()
        if known is not None:
            return str(known["id"]), False
        settings = {"mark": mark}
        return _queue(hub, connection, use_case, actor=actor, settings=settings, correlation=None), True


def queue_run(
    hub: Hub, connection: Connection, use_case: str, *, actor: str, why: str, since: datetime | None = None
) -> str:
    """``request`` by a policy, within the caller's transaction, which holds ``lock_runs``.

    ``since`` asks for a dataset without the rows before it, where that can carry a training.
    """
    settings = {"why": why} | ({"since": since.isoformat()} if since else {})
    return _queue(hub, connection, use_case, actor=actor, settings=settings, correlation=None)


def again(hub: Hub, run: str, *, actor: str) -> str:
    """Ask once more for what ``run`` was to train, as it failed or was cancelled; returns the new run's id.

    What has ended stays as it ended: a run of its own works it off, in the same trace. It is asked for once:
    ``ConflictError`` says so a second time, and where ``run`` has not ended, or ended well.
    """
    with hub.database.transaction() as connection:
        connection.execute(SQL["lock_runs"])
        row = connection.execute(SQL["run_to_repeat"], {"run": run}).fetchone()
        if row is None:
            raise NotFoundError("run", run)
        if row["state"] not in ("failed", "cancelled"):
            raise ConflictError(f"expected {run} to have failed or been cancelled, it is {row['state']}")
        before = connection.execute(SQL["repeated"], {"run": run}).fetchone()
        if before is not None:
            raise ConflictError(f"{run} was asked for again already: {before['id']} does it")
        kept = {name: value for name, value in row["settings"].items() if name in TAKEN_ALONG}
        settings = kept | {"again": run}
        return _queue(
            hub,
            connection,
            row["use_case"],
            actor=actor,
            settings=settings,
            correlation=row["correlation"],
        )


def _queue(
    hub: Hub,
    connection: Connection,
    use_case: str,
    *,
    actor: str,
    settings: dict[str, Any],
    correlation: str | None,
) -> str:
    traced = correlation or uuid.uuid4().hex
    counted = connection.execute(SQL["next_run"], {"use_case": use_case}).fetchone()
    assert counted is not None
    run = f"{use_case}-run-{counted['number']}"
    row = {"id": run, "use_case": use_case, "settings": Jsonb(settings)}
    connection.execute(SQL["insert_run"], row | {"correlation": traced, "now": hub.clock.now()})
    # Trainings take turns: two at once would only make both slow.
    job = queue.defer(connection, queue.RETRAIN, {"run": run}, lock=queue.RETRAIN)
    connection.execute(SQL["set_job"], {"job": job, "run": run})
    hub.record(
        connection,
        actor=actor,
        action="retrain.request",
        subject=run,
        detail={"use_case": use_case} | settings,
        correlation=traced,
    )
    return run


def _check_idle(connection: Connection, use_case: str) -> None:
    row = connection.execute(SQL["open_run"], {"use_case": use_case}).fetchone()
    if row is not None:
        raise ConflictError(f"{row['id']} trains {use_case} already: wait for it, or cancel it")


def _names(learnt_from: Path, onnx: Path | None) -> list[str]:
    """The machines that ``learnt_from`` names."""
    if onnx is None:
        raise ConflictError(
            f"{learnt_from} says what a network made elsewhere learnt from: expected that network, got none: "
            "give it with --onnx"
        )
    if not learnt_from.is_file():
        raise NotFoundError("list of machines", str(learnt_from))
    try:
        names = {line.strip() for line in learnt_from.read_text().splitlines()} - {""}
    except UnicodeDecodeError as error:
        raise ConflictError(f"{learnt_from}: expected names of machines as text, got {error}") from error
    if not names:
        raise ConflictError(f"{learnt_from}: expected the name of a machine on each line, got no line")
    return sorted(names)


def _check_known(hub: Hub, file: Path, names: list[str], machine_class: str) -> None:
    """A machine whose name is misspelt would count as one that the network has not learnt from."""
    asked = {"names": names, "machine_class": machine_class}
    unknown = [printable(row["named"]) for row in hub.database.rows(SQL["unknown_machines"], asked)]
    if unknown:
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        raise ConflictError(
            f"{file}: expected machines of the class {machine_class} that this hub knows, got "
            f"{', '.join(unknown[:MOST_NAMED])}{more}: mend the names, and leave out machines of elsewhere, "
            "which judge nothing here"
        )


def _keep(hub: Hub, onnx: Path) -> str:
    """Copy ``onnx`` to where the worker finds it, named by its content; the path below the artifacts."""
    if not onnx.is_file():
        raise NotFoundError("ONNX file", str(onnx))
    name = f"uploads/{file_sha256(onnx)}.onnx"
    place = hub.artifacts / name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_suffix(f".{uuid.uuid4().hex}.new")
        shutil.copyfile(onnx, partial)
        partial.replace(place)
    return name
