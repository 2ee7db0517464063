"""Datasets: what models learn from, frozen, named by their contents and traceable to their rows.

A snapshot of the same contents is the same dataset. Its file is checked against
its hash whenever it is read, so a run can never have seen other rows than it says.
What is bad enough to mislead whoever learns from it never becomes a dataset.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from psycopg.types.json import Jsonb

from cloud_hub.dataset import causality, contents, places
from cloud_hub.dataset.demands import demand
from cloud_hub.dataset.manifest import draw_up
from cloud_hub.dataset.quality import Quality, assess
from cloud_hub.dataset.reading import SQL, Found, Query, left_out_in_words, read
from cloud_hub.errors import DatasetError, NotFoundError
from cloud_hub.store.database import Database, Row
from models.examples import Examples
from models.use_case import UseCase
from wire.clock import EPOCH, Clock
from wire.manifest import Waveform


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    id: str  # "<use case>-<first 12 of the hash>"
    use_case: str
    hash: str  # SHA-256 over the contents, hex
    location: str  # a path, or a URL
    rows: int
    machines: int
    lives: int  # that ended in a failure
    feature_set: str
    manifest: dict[str, Any]
    created: datetime

    @classmethod
    def from_row(cls, row: Row, artifacts: Path) -> Self:
        kept = {name: value for name, value in row.items() if name != "path"}
        return cls(**kept, location=places.from_stored(row["path"], artifacts))

    @property
    def path(self) -> Path:
        """Where it lies on this machine; DatasetError where that is a URL."""
        if "://" in self.location:
            raise DatasetError(f"{self.id} is no file here, it lies at {self.location}")
        return Path(self.location)

    @property
    def waveforms(self) -> tuple[Waveform, ...]:
        """That its features are made of, at the rate of all its machines; none where that was not kept."""
        return tuple(Waveform(**told) for told in self.manifest.get("waveforms", ()))

    def examples(self) -> Examples:
        """The rows; DatasetError where they are not what the hash says."""
        examples = contents.read(self.location)
        found = contents.content_hash(
            examples,
            use_case=self.use_case,
            feature_set=self.feature_set,
            unit=self.manifest["life"]["unit"],
        )
        if found != self.hash:
            raise DatasetError(
                f"{self.location}: expected contents {self.hash[:12]}, got {found[:12]}: "
                f"the file was changed; {contents.REMEDY}"
            )
        return examples


def snapshot(
    database: Database,
    artifacts: Path,
    use_case: UseCase,
    clock: Clock,
    *,
    since: datetime | None = None,
    datasets_url: str = "",
    code: str = "",
) -> Dataset:
    """Freeze what the store knows now about the machines of ``use_case``.

    ``artifacts`` is the hub's artifact root; ``since`` leaves older rows out; ``datasets_url`` is where
    datasets lie if not there, and ``code`` the version of the code that will learn from this one.
    Raises DatasetError where the data cannot carry a training: what was found, what to do.
    """
    query = Query(
        machine_class=use_case.machine_class,
        feature_set=use_case.feature_set,
        since=since or EPOCH,
        until=clock.now(),
    )
    found = read(database, query, use_case)
    _demand(found, use_case)
    quality = assess(found, use_case)
    hashed = contents.content_hash(
        found.examples, use_case=use_case.name, feature_set=use_case.feature_set, unit=use_case.life.unit
    )
    chance = np.random.default_rng(int(hashed[:16], 16))
    causal = causality.check(found.examples, use_case.feature_set, chance)
    _stop(use_case, quality, causal)
    location = places.place(artifacts, datasets_url, f"{use_case.name}/{hashed[:12]}.parquet")
    manifest = draw_up(found, query, use_case, quality, causal, code=code)
    dataset = Dataset(
        id=f"{use_case.name}-{hashed[:12]}",
        use_case=use_case.name,
        hash=hashed,
        location=location,
        rows=len(found.examples),
        machines=len(manifest["rows_by_machine"]),
        lives=manifest["failed_lives"],
        feature_set=use_case.feature_set,
        manifest=manifest,
        created=query.until,
    )
    return _keep(database, dataset, found.examples, artifacts)


def find(database: Database, artifacts: Path, name: str) -> Dataset:
    row = database.row(SQL["one"], {"id": name})
    if row is None:
        raise NotFoundError("dataset", name)
    return Dataset.from_row(row, artifacts)


def find_all(database: Database, artifacts: Path, use_case: str | None = None) -> list[Dataset]:
    """Newest first."""
    rows = database.rows(SQL["newest_first"], {"use_case": use_case})
    return [Dataset.from_row(row, artifacts) for row in rows]


def made_of(database: Database, dataset: Dataset) -> list[Row]:
    """The runs that learnt from ``dataset``, oldest first, each with the release it made, or None."""
    return database.rows(SQL["made_of"], {"dataset": dataset.id})


def _demand(found: Found, use_case: UseCase) -> None:
    """``demand``, with what was left out where that is the cause."""
    try:
        demand(found.examples, use_case)
    except DatasetError as error:
        if not found.left_out:
            raise
        raise DatasetError(f"{error}; left out: {left_out_in_words(found.left_out)}") from error


def _stop(use_case: UseCase, quality: Quality, causal: causality.Causality) -> None:
    """DatasetError where somebody would learn something wrong."""
    if causal.leak:
        raise DatasetError(
            f"{use_case.name}: features know more than their past: {causal.leak}; do not train on them: "
            "compare the agent's version on its device, and what was filled in by hand"
        )
    if quality.stopping:
        told = "; ".join(f"{finding.text}: {finding.remedy}" for finding in quality.stopping)
        raise DatasetError(f"the data of {use_case.name} is too bad to learn from: {told}")


def _keep(database: Database, dataset: Dataset, examples: Examples, artifacts: Path) -> Dataset:
    """The dataset as it is known, if it is; its files are written where they are not there and sound."""
    row = database.row(SQL["one"], {"id": dataset.id})
    known = dataset if row is None else Dataset.from_row(row, artifacts)
    if not _is_sound(known):
        contents.write(examples, known.location)
        _write_manifest(known)
    if row is None:
        values = asdict(dataset) | {"manifest": Jsonb(dataset.manifest)}
        values["path"] = places.to_stored(dataset.location, artifacts)
        database.execute(SQL["insert"], values)  # nothing where another was first: he described it
    return find(database, artifacts, dataset.id)


def _is_sound(dataset: Dataset) -> bool:
    """Whether all of it is there, the manifest too, which makes it real."""
    if not places.exists(_manifest_of(dataset)):
        return False
    try:
        dataset.examples()
    except DatasetError:
        return False
    return True


def _write_manifest(dataset: Dataset) -> None:
    described = {"id": dataset.id, "hash": dataset.hash, **dataset.manifest}

    def fill(file: IO[bytes]) -> None:
        file.write(json.dumps(described, indent=1).encode())

    places.write(_manifest_of(dataset), fill)


def _manifest_of(dataset: Dataset) -> str:
    return dataset.location.removesuffix(".parquet") + ".json"
