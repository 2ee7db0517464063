"""``andon model rescore``: score a dataset, or rows in a Parquet file, by a release."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from cloud_hub.config import HubConfig
from cloud_hub.dataset import snapshot
from cloud_hub.errors import ConfigError, DatasetError, NotFoundError
from cloud_hub.registry.manifests import conditions_of
from cloud_hub.serving import rescoring
from cloud_hub.serving.catalogue import SQL, Registered, bundle_in
from cloud_hub.serving.rescoring import Comparison, Rows, Said
from cloud_hub.serving.scorer import Scorer
from cloud_hub.store.database import Database
from models.examples import Examples
from wire.clock import to_datetime, to_us
from wire.manifest import Manifest, row_names
from wire.precision import Precision


def rescore(
    release: Annotated[str, typer.Argument(help="A released one, such as motor-health/3.")],
    *,
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    dataset: Annotated[str, typer.Option(help="Score the rows of this dataset.")] = "",
    parquet: Annotated[
        Path | None, typer.Option(help="Score these rows: a column each input, as the network takes it.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="What the devices run: how far they may have been off.")
    ] = Precision.FP32,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path | None, typer.Option(help="The hub's configuration file.")] = None,
) -> None:
    """Score rows again by RELEASE, and count where devices that ran it had said something else."""
    if bool(dataset) == (parquet is not None):
        raise ConfigError("expected --dataset or --parquet, one of them")
    if not out.parent.is_dir():
        raise NotFoundError("folder", str(out.parent))
    settings = HubConfig.load(config)
    with settings.database(most=2) as database:
        entry = Registered(database, settings.state_dir).find(release)
        scorer = Scorer.of(bundle_in(entry.file, entry))
        rows, left_out = (
            (_of_parquet(parquet, scorer.manifest), 0)
            if parquet is not None
            else _of_dataset(database, settings.state_dir / "artifacts", dataset, scorer.manifest)
        )
        values = rescoring.rescore(scorer, rows)
        found = rescoring.compare(scorer.manifest, rows, values, _said(database, release, rows), precision)
    _write(out, scorer.manifest, rows, values)
    told = {"release": release, "rows": len(values), "left_out": left_out, "out": str(out)}
    typer.echo(json.dumps(told | found.to_fields()) if as_json else _sentence(told, found))


def _of_dataset(database: Database, artifacts: Path, name: str, manifest: Manifest) -> tuple[Rows, int]:
    """The rows of a dataset as the network takes them, and how many have no answer in their conditions."""
    stored = snapshot.find(database, artifacts, name).examples()
    rows = as_taken(stored, manifest)
    return rows, len(stored) - len(rows.features)


def as_taken(stored: Examples, manifest: Manifest) -> Rows:
    """Rows of a dataset as the network of ``manifest`` takes them: derived, where it learnt conditions."""
    examples, table = stored, conditions_of(manifest)
    if table is not None:
        from models.conditions import derive  # noqa: PLC0415 - brings scikit-learn

        examples = derive(stored, table)
    return Rows(
        names=examples.names,
        units=examples.units,
        features=examples.features,
        machines=tuple(examples.machines[place] for place in examples.machine),
        times=examples.times,
    )


def _of_parquet(file: Path, manifest: Manifest) -> Rows:
    """The inputs of ``manifest`` by their names, whatever else there is; DatasetError for a missing one."""
    names = [each.name for each in manifest.inputs]
    try:
        table = pq.read_table(file)
        if lacking := [name for name in names if name not in table.schema.names]:
            raise DatasetError(f"{file}: expected a column {lacking[0]}, an input of {manifest.release}")
        columns = [table[name].cast(pa.float32()).to_numpy() for name in names]
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    if not len(table):
        raise DatasetError(f"{file}: expected rows, got none")
    return Rows(names=tuple(names), units=None, features=np.stack(columns, axis=1))


def _said(database: Database, release: str, rows: Rows) -> Said:
    """What devices predicted with ``release`` for these machines meanwhile."""
    if rows.times is None or not len(rows.times):
        return {}
    asked: dict[str, Any] = {
        "release": release,
        "machines": sorted(set(rows.machines)),
        "first": to_datetime(int(rows.times.min())),
        "last": to_datetime(int(rows.times.max())),
    }
    told = database.rows(SQL["said"], asked)
    return {(row["machine"], to_us(row["time"])): row["values"] for row in told}


def _write(out: Path, manifest: Manifest, rows: Rows, values: Any) -> None:
    columns: dict[str, Any] = {}
    if rows.times is not None:
        columns["machine"] = pa.array(rows.machines, pa.string())
        columns["time"] = pa.array(rows.times, pa.timestamp("us", tz="UTC"))
    columns |= {name: pa.array(values[:, place]) for place, name in enumerate(row_names(manifest))}
    table = pa.table(columns).replace_schema_metadata({"andon.release": manifest.release})
    partial = out.with_name(f".{out.name}.new")
    pq.write_table(table, partial, compression="zstd")
    partial.replace(out)


def _sentence(told: dict[str, Any], found: Comparison) -> str:
    lines = [f"{told['out']}: {told['rows']} rows by {told['release']}"]
    if told["left_out"]:
        lines.append(f"{told['left_out']} rows have no answer: their machine was run as none in training")
    if found.compared:
        lines.append(
            f"devices had scored {found.compared} of them, {found.differ} otherwise than {found.precision} "
            f"allows; the farthest by {found.worst:.2%} of its output's range"
        )
    else:
        lines.append("no device had scored any of them with this release")
    return "\n".join(lines)
