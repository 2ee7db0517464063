"""Datasets: what models learn from, frozen, named by their contents and traceable to their rows.

A snapshot of the same contents is the same dataset. Its file is checked against
its hash whenever it is read, so a run can never have seen other rows than it says.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
from psycopg.types.json import Jsonb

from cloud_hub.dataset import contents
from cloud_hub.dataset.reading import SQL, Query, read
from cloud_hub.errors import DatasetError, NotFoundError
from cloud_hub.files import write_public
from cloud_hub.store.database import Database, Row
from kernels import sets
from models.examples import Examples
from models.use_case import UseCase
from wire.clock import EPOCH, Clock, to_datetime

FOLDER = "datasets"
LEAST_MACHINES = 4  # with failures: some to hold out, some to stop early on, some to learn from


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    id: str  # "<use case>-<first 12 of the hash>"
    use_case: str
    hash: str  # SHA-256 over the contents, hex
    path: Path
    rows: int
    machines: int
    lives: int  # that ended in a failure
    feature_set: str
    manifest: dict[str, Any]
    created: datetime

    @classmethod
    def from_row(cls, row: Row, artifacts: Path) -> Self:
        return cls(**row | {"path": artifacts / row["path"]})

    def examples(self) -> Examples:
        """The rows; DatasetError where they are not what the hash says."""
        examples = contents.read(self.path)
        found = contents.content_hash(
            examples,
            use_case=self.use_case,
            feature_set=self.feature_set,
            unit=self.manifest["life"]["unit"],
        )
        if found != self.hash:
            raise DatasetError(
                f"{self.path}: expected contents {self.hash[:12]}, got {found[:12]}: the file was changed; "
                "restore it, or take a new snapshot"
            )
        return examples


def snapshot(
    database: Database, artifacts: Path, use_case: UseCase, clock: Clock, *, since: datetime | None = None
) -> Dataset:
    """Freeze what the store knows now about the machines of ``use_case``.

    ``artifacts`` is the hub's artifact root; ``since`` leaves older rows out.
    Raises DatasetError where the data cannot carry a training: what was found, what to do.
    """
    query = Query(
        machine_class=use_case.machine_class,
        feature_set=use_case.feature_set,
        since=since or EPOCH,
        until=clock.now(),
    )
    examples = read(database, query, use_case.life)
    _check(examples, use_case)
    hashed = contents.content_hash(
        examples, use_case=use_case.name, feature_set=use_case.feature_set, unit=use_case.life.unit
    )
    dataset = Dataset(
        id=f"{use_case.name}-{hashed[:12]}",
        use_case=use_case.name,
        hash=hashed,
        path=artifacts / FOLDER / use_case.name / f"{hashed[:12]}.parquet",
        rows=len(examples),
        machines=len(np.unique(examples.machine)),
        lives=len(np.unique(examples.lives[examples.failed])),
        feature_set=use_case.feature_set,
        manifest=_manifest(examples, query, use_case),
        created=query.until,
    )
    if not dataset.path.exists():
        _write(dataset, examples)
    _insert(database, dataset, artifacts)  # nothing where it is known: the first to take it described it
    return find(database, artifacts, dataset.id)


def find(database: Database, artifacts: Path, name: str) -> Dataset:
    row = database.row(SQL["one"], {"id": name})
    if row is None:
        raise NotFoundError("dataset", name)
    return Dataset.from_row(row, artifacts)


def find_all(database: Database, artifacts: Path, use_case: str | None = None) -> list[Dataset]:
    """Newest first."""
    rows = database.rows(SQL["newest_first"], {"use_case": use_case})
    return [Dataset.from_row(row, artifacts) for row in rows]


def _check(examples: Examples, use_case: UseCase) -> None:
    lives, machines = len(np.unique(examples.lives[examples.failed])), len(examples.failed_machines())
    if lives < use_case.life.least_failures or machines < LEAST_MACHINES:
        raise DatasetError(
            f"expected at least {use_case.life.least_failures} failures on {LEAST_MACHINES} machines "
            f"for {use_case.name}, got {lives} on {machines} (of {len(examples.machines)} machines with "
            f"{len(examples)} rows): import failures with `andon data import`, or wait for more"
        )


def _manifest(examples: Examples, query: Query, use_case: UseCase) -> dict[str, Any]:
    """What it was asked, and what it holds; the times are of rows, not of the snapshot."""
    asked = asdict(query) | {"since": query.since.isoformat(), "until": query.until.isoformat()}
    rows = np.bincount(examples.machine, minlength=len(examples.machines))
    return {
        "query": asked,
        "span": [to_datetime(int(edge)).isoformat() for edge in (examples.times.min(), examples.times.max())],
        "rows_by_machine": {
            name: int(count) for name, count in zip(examples.machines, rows, strict=True) if count
        },
        "failed_lives": len(np.unique(examples.lives[examples.failed])),
        "censored_lives": len(np.unique(examples.lives[~examples.failed])),
        "life": {"measured_in": use_case.life.measured_in, "unit": use_case.life.unit},
        "features": [
            {"name": name, "unit": unit} for name, unit in zip(examples.names, examples.units, strict=True)
        ],
        "feature_set": use_case.feature_set,
        "feature_set_version": sets.VERSIONS[use_case.feature_set],
        "schema": list(contents.COLUMNS),
    }


def _write(dataset: Dataset, examples: Examples) -> None:
    dataset.path.parent.mkdir(parents=True, exist_ok=True)
    contents.write(examples, dataset.path)
    described = {"id": dataset.id, "hash": dataset.hash, **dataset.manifest}
    write_public(dataset.path.with_suffix(".json"), json.dumps(described, indent=1).encode())


def _insert(database: Database, dataset: Dataset, artifacts: Path) -> None:
    values = asdict(dataset)
    values["path"] = str(dataset.path.relative_to(artifacts))
    database.execute(SQL["insert"], values | {"manifest": Jsonb(dataset.manifest)})
