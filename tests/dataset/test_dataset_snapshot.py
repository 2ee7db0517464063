"""Datasets come from what the store held at one moment, are named by their contents, and never change."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cloud_hub.dataset import contents
from cloud_hub.dataset.snapshot import Dataset, find, find_all, snapshot
from cloud_hub.errors import DatasetError, NotFoundError
from cloud_hub.store.database import Database
from models import use_case
from models.use_case import UseCase
from tests.stored_machines import BEGIN_US, HOUR_US, Stored, features_of, fleet, wearing
from wire.clock import Clock

CLOCK = Clock.real()


@pytest.fixture
def turbofan() -> UseCase:
    found = use_case.find("turbofan-rul")
    return found.model_copy(update={"life": found.life.model_copy(update={"least_failures": 6})})


@pytest.fixture
def store(database: str) -> Iterator[Stored]:
    with Database(database) as opened:
        yield Stored(opened)


def take(store: Stored, folder: Path, use_case: UseCase) -> Dataset:
    return snapshot(store.database, folder, use_case, CLOCK)


def test_snapshot_holds_every_row_with_its_remaining_life(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    dataset = take(store, tmp_path, turbofan)
    examples = dataset.examples()
    assert (dataset.machines, dataset.lives) == (9, 8)
    assert dataset.rows == len(examples) == sum(60 + 7 * n for n in range(9))
    assert examples.names[0] == "pressure.last"
    assert examples.names[-1] == "age"
    first = examples.where(examples.of_machines(frozenset({"engine-0"})))
    assert first.remaining.tolist() == list(range(59, -1, -1))
    np.testing.assert_array_equal(first.features, features_of(wearing(0, 60)))
    assert np.isnan(examples.where(examples.of_machines(frozenset({"engine-8"}))).remaining).all()


def test_same_contents_are_the_same_dataset(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    first, second = take(store, tmp_path, turbofan), take(store, tmp_path, turbofan)
    assert first == second
    assert [found.id for found in find_all(store.database, tmp_path)] == [first.id]


def test_one_more_row_is_another_dataset(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    first = take(store, tmp_path, turbofan)
    later = BEGIN_US + HOUR_US * 500
    store.rows("engine-8", [later], features_of(wearing(1, 30))[-1:])
    assert take(store, tmp_path, turbofan).hash != first.hash


def test_hash_does_not_depend_on_the_order_of_rows(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    dataset = take(store, tmp_path, turbofan)
    examples = dataset.examples()
    shuffled = examples.where(np.random.default_rng(1).permutation(len(examples)))
    hashed = contents.content_hash(
        shuffled, use_case=turbofan.name, feature_set="trend/1", unit=turbofan.life.unit
    )
    assert hashed == dataset.hash


def test_row_told_by_two_epochs_counts_once(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    first = take(store, tmp_path, turbofan)
    store.rows("engine-3", [BEGIN_US], features_of(wearing(3, 1)), sequence=2)
    assert take(store, tmp_path, turbofan).rows == first.rows


def test_planted_future_is_not_used(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    """Rows, failures and knowledge of failures that are later than the moment of the snapshot."""
    fleet(store)
    before = take(store, tmp_path, turbofan)
    future = CLOCK.now_us() + 2 * HOUR_US
    store.rows("engine-8", [future], np.full((1, before.examples().width), 9.0, np.float32))
    store.label("engine-8", future)
    store.label("engine-8", BEGIN_US + 200 * HOUR_US, added_us=future)
    assert take(store, tmp_path, turbofan) == before


def test_dataset_tells_what_it_was_asked_and_what_it_holds(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    dataset = take(store, tmp_path, turbofan)
    told = json.loads(dataset.path.with_suffix(".json").read_text())
    assert told["hash"] == dataset.hash
    assert dataset.id == f"turbofan-rul-{dataset.hash[:12]}"
    assert told["query"]["machine_class"] == "turbofan"
    assert told["rows_by_machine"]["engine-2"] == 74
    assert told["failed_lives"] == 8
    assert told["censored_lives"] == 1
    assert len(told["feature_set_version"]) == 64
    assert pq.read_schema(dataset.path).names[: len(told["schema"])] == told["schema"]


def test_unknown_dataset_is_named(store: Stored, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no dataset named 'x-1'"):
        find(store.database, tmp_path, "x-1")


def test_changed_file_is_refused(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    dataset = take(store, tmp_path, turbofan)
    examples = dataset.examples()
    examples.features.setflags(write=True)
    examples.features[5, 3] += 1
    contents.write(examples, dataset.path)
    with pytest.raises(DatasetError, match="the file was changed"):
        dataset.examples()


def test_corrupted_file_is_refused(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    dataset = take(store, tmp_path, turbofan)
    payload = bytearray(dataset.path.read_bytes())
    payload[-40:] = bytes(40)
    dataset.path.write_bytes(payload)
    with pytest.raises(DatasetError, match="cannot be read"):
        dataset.examples()


def test_lost_file_is_written_again_by_the_next_snapshot(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    dataset = take(store, tmp_path, turbofan)
    dataset.path.unlink()
    with pytest.raises(DatasetError, match="is gone"):
        dataset.examples()
    assert take(store, tmp_path, turbofan) == dataset
    assert len(dataset.examples()) == dataset.rows


def test_no_machine_of_the_class_is_refused(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    with pytest.raises(DatasetError, match="expected machines of class 'turbofan'"):
        take(store, tmp_path, turbofan)


def test_machines_without_rows_are_refused(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    store.add("engine-1")
    with pytest.raises(DatasetError, match=r"expected feature rows of engine-1 .* got none"):
        take(store, tmp_path, turbofan)


def test_too_few_failures_are_counted(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store, machines=3)
    with pytest.raises(DatasetError, match=r"at least 6 failures on 4 machines .* got 3 on 3"):
        take(store, tmp_path, turbofan)


def test_changed_unit_on_one_machine_is_refused(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    store.add("engine-x", units={"pressure": "kPa"})
    with pytest.raises(DatasetError, match=r"same signals and units .* got 2 kinds: .* on engine-x"):
        take(store, tmp_path, turbofan)


def test_rows_of_another_width_are_refused(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    store.rows("engine-4", [BEGIN_US + 9], np.zeros((1, 5), np.float32))
    with pytest.raises(DatasetError, match="expected 17 features a row, got 5 in 1 rows of engine-4"):
        take(store, tmp_path, turbofan)


def test_rows_with_a_nan_are_left_out(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    first = take(store, tmp_path, turbofan)
    store.rows("engine-8", [BEGIN_US + HOUR_US * 400], np.full((1, 17), np.nan, np.float32))
    assert take(store, tmp_path, turbofan) == first
