"""Making room: files of models and datasets that nothing needs any more are removed, and their rows say so.

First the rows are marked, in a transaction that holds back rollouts, trainings and
approvals; from its commit on nobody can begin anything with these releases. Then the
files go, under the same locks, since the same bytes may be registered anew meanwhile.
Killed between the two, files are left that the next sweep takes.
"""

import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fsspec

from cloud_hub.errors import ConflictError, UnreachableError
from cloud_hub.flows.runs import SQL as RUNS
from cloud_hub.hub import Hub
from cloud_hub.registry.keeping import ENGINES, SKETCHES, SLOTS, SQL, Plan, plan
from cloud_hub.store.database import Connection, Row

MANIFEST = ".json"  # of a dataset, beside its rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was removed, or would be."""

    dry_run: bool
    releases: list[str]
    datasets: list[str]
    kept: dict[str, list[str]]  # release: why its files stay
    files: list[str] = field(default_factory=list)
    bytes: int = 0

    def to_fields(self) -> dict[str, Any]:
        return asdict(self)


def sweep(hub: Hub, *, actor: str, keep: int, dry_run: bool = False) -> Swept:
    """Remove what nothing needs beside the ``keep`` newest versions of each use case.

    With ``dry_run`` only say what that would be.
    """
    if keep < 1:
        raise ConflictError(f"expected to keep at least 1 version of each use case, got {keep}")
    with hub.database.transaction() as connection:
        _lock(connection)
        found = _plan(connection, keep)
        if not dry_run:
            _mark(hub, connection, found, actor)
    with hub.database.transaction() as connection:
        _lock(connection)
        places = {*_places(hub, connection, found.releases), *_remains(hub, connection)}
        datasets = list(found.datasets) if dry_run else _unneeded(connection, found, keep)
        for row in datasets:
            location = row["path"] if "://" in row["path"] else str(hub.artifacts / row["path"])
            places |= {location, location.rpartition(".")[0] + MANIFEST}
        gone = {
            place: size for place in sorted(places) if (size := _take(place, dry_run=dry_run)) is not None
        }
        if not dry_run:
            values = {"datasets": [row["id"] for row in datasets], "now": hub.clock.now()}
            connection.execute(SQL["note_datasets"], values)
    return Swept(
        dry_run=dry_run,
        releases=found.releases,
        datasets=[row["id"] for row in datasets],
        kept=found.kept,
        files=list(gone),
        bytes=sum(gone.values()),
    )


def _lock(connection: Connection) -> None:
    connection.execute(RUNS["lock_runs"])
    connection.execute(SQL["lock_models"])
    connection.execute(SQL["lock_rollouts"])


def _plan(connection: Connection, keep: int) -> Plan:
    connection.execute(SQL["made_again"])
    models = connection.execute(SQL["models"], {"slots": SLOTS}).fetchall()
    return plan(models, connection.execute(SQL["datasets"]).fetchall(), keep=keep)


def _mark(hub: Hub, connection: Connection, found: Plan, actor: str) -> None:
    if not found.models and not found.datasets:
        return
    values = {"releases": found.releases, "now": hub.clock.now()}
    connection.execute(SQL["hold"], values)
    connection.execute(SQL["remove"], values)
    datasets = [row["id"] for row in found.datasets]
    hub.record(
        connection,
        actor=actor,
        action="model.gc",
        subject="artifacts",
        detail={"releases": found.releases, "datasets": datasets},
    )


def _unneeded(connection: Connection, found: Plan, keep: int) -> list[Row]:
    """The datasets of ``found`` that still nothing needs: a training may have begun in between."""
    now = {row["id"] for row in _plan(connection, keep).datasets}
    return [row for row in found.datasets if row["id"] in now]


def _places(hub: Hub, connection: Connection, releases: Iterable[str]) -> Iterable[str]:
    """Files of removed models, also of those that an earlier sweep was killed at; and of ``releases``."""
    rows = connection.execute(SQL["orphans"], {"releases": list(releases)}).fetchall()
    for row in rows:
        yield str(hub.artifacts / "bundles" / f"{row['release']}.zip")
        yield str(hub.artifacts / SKETCHES / f"{row['release']}.npz")
        yield from map(str, (hub.artifacts / ENGINES).glob(f"*/{row['release']}.*.engine"))
        if row["onnx_path"]:
            yield str(hub.artifacts / row["onnx_path"])


def _remains(hub: Hub, connection: Connection) -> Iterable[str]:
    """What ended runs left behind."""
    for row in connection.execute(SQL["ended_runs"]):
        yield str(hub.artifacts / "runs" / row["id"])


def _take(place: str, *, dry_run: bool) -> int | None:
    """Remove the file or folder at ``place``; its bytes, None where there is none."""
    if "://" in place:
        return _take_remote(place, dry_run=dry_run)
    path = Path(place)
    if not path.exists():
        return None
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    size = sum(each.stat().st_size for each in files)
    if not dry_run:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return size


def _take_remote(place: str, *, dry_run: bool) -> int | None:
    try:
        files, path = fsspec.core.url_to_fs(place)
        if not files.exists(path):
            return None
        size = int(files.size(path) or 0)
        if not dry_run:
            files.rm(path)
    except Exception as error:  # every file system has errors of its own
        raise UnreachableError(
            f"{place} cannot be removed: {error}: the next `andon model gc` will"
        ) from error
    return size
