"""Stored rows scored again: the same numbers as the service gives, held against what devices said."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from cloud_hub.dataset import contents, places
from cloud_hub.errors import ConflictError, DatasetError, NotFoundError
from cloud_hub.serving import rescoring
from cloud_hub.serving.rescore_cli import as_taken, rescore
from cloud_hub.serving.rescoring import Rows
from cloud_hub.serving.scorer import Scorer
from kernels.condition_trend import make_condition_trend
from models.examples import UNKNOWN, Examples
from tests.serving.serving_world import NAMES, UNITS, World, bundle_of
from tests.stored_machines import BEGIN_US, HOUR_US
from wire.errors import MessageError
from wire.manifest import ConditionTable
from wire.precision import Precision
from wire.scoring import Question

TIMES = [BEGIN_US + HOUR_US * hour for hour in range(4)]
FEATURES = np.array([[hour, 2.0, 3.0] for hour in range(4)], np.float32)
SAID = [[10.0, 5.0, 20.0, 0.25], [11.0, 6.0, 21.0, 0.25], [12.4, 7.0, 22.0, 0.25]]  # the third is 0.4 h off


@pytest.fixture(scope="module")
def dataset(world: World) -> str:
    """Four rows of a machine, the first three of which a device scored too."""
    world.hear("press-1", TIMES[:3], FEATURES[:3], SAID, "engine-life/1")
    count = len(TIMES)
    examples = Examples(
        machines=("press-1",),
        sites=("lyon",),
        faults=(),
        names=NAMES,
        units=UNITS,
        machine=np.zeros(count, np.int32),
        times=np.array(TIMES, np.int64),
        life=np.ones(count, np.int32),
        age=np.arange(count, dtype=np.float32),
        remaining=np.full(count, np.nan, np.float32),
        health=np.full(count, UNKNOWN, np.int8),
        fault=np.full(count, -1, np.int16),
        features=FEATURES,
    )
    artifacts = world.state_dir / "artifacts"
    location = places.place(artifacts, "", "engine-life/a.parquet")
    contents.write(examples, location)
    hashed = contents.content_hash(examples, use_case="engine-life", feature_set="trend/1", unit="h")
    world.database.execute(
        "INSERT INTO dataset (id, use_case, hash, path, rows, machines, lives, feature_set, manifest, created) "
        "VALUES ('engine-life-a', 'engine-life', %(hash)s, %(path)s, 4, 1, 0, 'trend/1', %(manifest)s, now())",
        {
            "hash": hashed,
            "path": places.to_stored(location, artifacts),
            "manifest": Jsonb({"life": {"unit": "h"}}),
        },
    )
    return "engine-life-a"


@pytest.fixture
def command(world: World) -> Any:
    """Run the command on the world's hub: what it prints as JSON, or what it raises."""
    app = typer.Typer()
    app.command()(rescore)

    def run(*arguments: str | Path) -> dict[str, Any]:
        asked = [*map(str, arguments), "--json", "--config", str(world.state_dir / "hub.toml")]
        result = CliRunner().invoke(app, asked)
        if result.exception is not None:
            raise result.exception
        return dict(json.loads(result.stdout))

    return run


def test_a_dataset_is_scored_again_and_held_against_what_devices_said(
    command: Any, dataset: str, tmp_path: Path
) -> None:
    out = tmp_path / "scored.parquet"
    told = command("engine-life/1", "--dataset", dataset, "--out", out)
    assert told["worst"] == pytest.approx(0.004, rel=1e-3)
    assert told | {"worst": 0} == {
        "release": "engine-life/1",
        "rows": 4,
        "left_out": 0,
        "out": str(out),
        "compared": 3,
        "differ": 1,
        "worst": 0,
        "precision": "fp32",
    }
    table = pq.read_table(out)
    assert table.column_names == ["machine", "time", "remaining_life", "lower", "upper", "anomaly"]
    assert table["remaining_life"].to_pylist() == [10.0, 11.0, 12.0, 13.0]
    assert table.schema.metadata[b"andon.release"] == b"engine-life/1"
    loosely = command("engine-life/1", "--dataset", dataset, "--out", out, "--precision", "fp16")
    assert loosely["differ"] == 0


def test_rows_of_a_file_are_taken_by_the_names_of_inputs(command: Any, tmp_path: Path) -> None:
    file, out = tmp_path / "rows.parquet", tmp_path / "scored.parquet"
    columns = {name: pa.array([1.0, 2.0]) for name in reversed(NAMES)}
    pq.write_table(pa.table(columns | {"note": ["a", "b"]}), file)
    told = command("engine-life/2", "--parquet", file, "--out", out)
    assert (told["rows"], told["compared"]) == (2, 0)
    assert pq.read_table(out)["remaining_life"].to_pylist() == [21.0, 22.0]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"pressure": [1.0], "flow": [1.0]}, "expected a column speed"),
        ({"pressure": [1.0], "flow": [None], "speed": [1.0]}, "flow missing in row 1"),
        ({"pressure": ["a"], "flow": [1.0], "speed": [1.0]}, "cannot be read"),
        ({"pressure": [], "flow": [], "speed": []}, "expected rows, got none"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    command: Any, tmp_path: Path, columns: dict[str, Any], sentence: str
) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table(columns), file)
    with pytest.raises(DatasetError, match=sentence):
        command("engine-life/1", "--parquet", file, "--out", tmp_path / "scored.parquet")
    assert not (tmp_path / "scored.parquet").exists()


def test_a_release_that_is_none_is_named(command: Any, dataset: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no release named 'engine-life/9'"):
        command("engine-life/9", "--dataset", dataset, "--out", tmp_path / "scored.parquet")


def test_rows_read_under_conditions_are_derived_as_the_device_does_and_the_unknown_left_out() -> None:
    extractor = make_condition_trend(scalars=("load", "pressure"), units={"load": "kW", "pressure": "bar"})
    readings = np.array([[1.0, 5.0 + hour] for hour in range(8)] + [[90.0, 5.0]] * 9, np.float32)
    count = len(readings)
    examples = Examples(
        machines=("press-1",),
        sites=("lyon",),
        faults=(),
        names=extractor.names,
        units=extractor.units,
        machine=np.zeros(count, np.int32),
        times=BEGIN_US + HOUR_US * np.arange(count),
        life=np.ones(count, np.int32),
        age=np.arange(count, dtype=np.float32),
        remaining=np.full(count, np.nan, np.float32),
        health=np.full(count, UNKNOWN, np.int8),
        fault=np.full(count, -1, np.int16),
        features=extractor.batch(np.arange(count), readings),
    )
    table = ConditionTable(
        signals=("load",), scale=(1.0,), centres=((1.0,),), radius=(2.0,), scalars=("pressure",),
        mean=((5.0,),), spread=((1.0,),),
    )  # fmt: skip
    under = extractor.under(table)
    rows = as_taken(examples, replace(bundle_of(1, life=10.0).manifest, conditions=table))
    derived = under.derive_batch(examples.features)
    known = ~np.isnan(derived[:, -1])
    assert 0 < known.sum() < count
    assert (rows.names, rows.units) == (under.names, under.units)
    assert np.array_equal(rows.features, derived[known])
    assert rows.times.tolist() == examples.times[known].tolist()


def test_rows_of_another_unit_are_refused() -> None:
    scorer = Scorer.of(bundle_of(1, life=10.0))
    rows = Rows(names=NAMES, units=("Pa", *UNITS[1:]), features=FEATURES)
    with pytest.raises(DatasetError, match="expected pressure in 'bar', got 'Pa'"):
        rescoring.rescore(scorer, rows)


def test_scored_here_and_asked_of_the_service_are_the_same_numbers() -> None:
    scorer = Scorer.of(bundle_of(1, life=10.0))
    asked = Question.of(scorer.manifest, FEATURES)
    assert np.array_equal(
        scorer.answer(asked).rows,
        rescoring.rescore(scorer, Rows(names=NAMES, units=UNITS, features=FEATURES)),
    )
    with pytest.raises(MessageError, match="3 inputs, got 2"):
        scorer.answer(replace(asked, names=NAMES[:2], units=UNITS[:2]))


def test_a_network_that_answers_otherwise_than_where_it_was_made_answers_nobody() -> None:
    with pytest.raises(ConflictError, match=r"engine-life/1 answers 8 of 8 golden inputs otherwise"):
        Scorer.of(bundle_of(1, life=10.0, golden_off=0.5))


def test_a_stored_answer_that_is_no_number_counts_as_different() -> None:
    scorer = Scorer.of(bundle_of(1, life=10.0))
    rows = Rows(
        names=NAMES, units=UNITS, features=FEATURES[:1], machines=("press-1",), times=np.array(TIMES[:1])
    )
    said = {("press-1", TIMES[0]): [float("nan"), 5.0, 20.0, 0.25]}
    values = rescoring.rescore(scorer, rows)
    assert rescoring.compare(scorer.manifest, rows, values, said, Precision.FP32).differ == 1
