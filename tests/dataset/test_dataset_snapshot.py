"""Datasets come from what the store held at one moment, are named by their contents, and never change."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cloud_hub.backup import making
from cloud_hub.config import HubConfig
from cloud_hub.dataset import contents
from cloud_hub.dataset.snapshot import Dataset, find, find_all, made_of, snapshot
from cloud_hub.errors import ConfigError, DatasetError, NotFoundError, UnreachableError
from cloud_hub.store.database import Database
from models.use_case import UseCase
from tests.stored_machines import BEGIN_US, HOUR_US, SCALARS, TURBOFAN, Stored, fleet, life_of
from wire.clock import Clock, to_datetime

CLOCK = Clock.real()
FEATURES = 17


@pytest.fixture
def turbofan() -> UseCase:
    """Two signals instead of 24."""
    fields = TURBOFAN.model_dump(exclude_unset=True) | {
        "signals": [{"name": name, "unit": unit} for name, unit in SCALARS],
        "life": TURBOFAN.life.model_dump() | {"least_failures": 6},
        "feature_set": "trend/1",
        "conditions": None,
    }
    return UseCase.model_validate(fields)


@pytest.fixture
def store(database: str) -> Iterator[Stored]:
    with Database(database) as opened:
        yield Stored(opened, scalars=SCALARS, feature_set="trend/1")


def take(store: Stored, folder: Path, use_case: UseCase, **more: str) -> Dataset:
    return snapshot(store.database, folder, use_case, CLOCK, **more)


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
    assert set(examples.sites) == {"lyon"}
    first = examples.where(examples.of_machines(frozenset({"engine-0"})))
    assert first.remaining.tolist() == list(range(59, -1, -1))
    np.testing.assert_array_equal(first.features, life_of(store, 0, 60))
    assert np.isnan(examples.where(examples.of_machines(frozenset({"engine-8"}))).remaining).all()


def test_same_contents_are_the_same_dataset_whatever_order_they_come_in(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    first, second = take(store, tmp_path, turbofan), take(store, tmp_path, turbofan)
    assert first == second
    assert [found.id for found in find_all(store.database, tmp_path)] == [first.id]
    examples = first.examples()
    shuffled = examples.where(np.random.default_rng(1).permutation(len(examples)))
    hashed = contents.content_hash(
        shuffled, use_case=turbofan.name, feature_set="trend/1", unit=turbofan.life.unit
    )
    assert hashed == first.hash


def test_one_more_row_is_another_dataset(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    first = take(store, tmp_path, turbofan)
    store.rows("engine-8", [BEGIN_US + HOUR_US * 500], life_of(store, 1, 30)[-1:])
    assert take(store, tmp_path, turbofan).hash != first.hash


def test_row_told_by_two_epochs_counts_once_and_one_that_was_denied_is_told_of(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    first = take(store, tmp_path, turbofan)
    store.rows("engine-3", [BEGIN_US], life_of(store, 3, 81)[:1], sequence=2)
    assert take(store, tmp_path, turbofan).hash == first.hash
    store.rows("engine-4", [BEGIN_US + HOUR_US], life_of(store, 3, 1), sequence=2)
    store.rows("engine-8", [BEGIN_US + HOUR_US * 500], life_of(store, 1, 30)[-1:])
    found = take(store, tmp_path, turbofan)
    assert found.rows == first.rows + 1
    assert found.manifest["quality"]["machines"]["engine-3"]["repeated"] == 1
    assert any("told twice with other values on engine-4" in text for text in found.manifest["warnings"])


def test_planted_future_is_not_used(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    """Rows, failures and knowledge of failures that are later than the moment, and a row that came later."""
    fleet(store)
    before = take(store, tmp_path, turbofan)
    future = CLOCK.now_us() + 2 * HOUR_US
    store.rows("engine-8", [future], np.full((1, FEATURES), 9.0, np.float32))
    store.label("engine-8", future)
    store.label("engine-8", BEGIN_US + 200 * HOUR_US, added_us=future)
    store.rows("engine-8", [BEGIN_US + 300 * HOUR_US], np.full((1, FEATURES), 9.0, np.float32), sequence=99)
    store.database.execute(
        "INSERT INTO ledger (device, epoch, sequence, hash, outcome, received) "
        "VALUES (%(device)s, 1, 99, '', 'stored', %(received)s)",
        {"device": store.device, "received": to_datetime(future)},
    )
    assert take(store, tmp_path, turbofan) == before


def test_a_feature_that_knows_what_comes_stops_the_line(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    for number in range(4):
        features = life_of(store, 20 + number, 60)
        features[:-1, 1] = features[1:, 1].copy()  # pressure.mean5 of the next reading
        store.add(f"seer-{number}")
        store.rows(f"seer-{number}", BEGIN_US + HOUR_US * np.arange(60), features)
    with pytest.raises(DatasetError, match=r"know more than their past: pressure.mean5 of seer-\d at"):
        take(store, tmp_path, turbofan)


def test_dataset_tells_what_it_was_asked_and_what_it_holds(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    store.label("engine-8", BEGIN_US + 10 * HOUR_US, "maintenance")
    dataset = take(store, tmp_path, turbofan, code="0.1.0+abc")
    told = json.loads(dataset.path.with_suffix(".json").read_text())
    assert told["hash"] == dataset.hash
    assert dataset.id == f"turbofan-rul-{dataset.hash[:12]}"
    assert told["query"]["machine_class"] == "turbofan"
    assert told["rows_by_machine"]["engine-2"] == 74
    assert told["failed_lives"] == 8
    assert told["censored_lives"] == 2
    assert told["lives_begun"] == {"first seen": 9, "after a repair": 1, "after a failure": 0}
    assert told["code"] == "0.1.0+abc"
    assert told["made_again"]["rows"] > 20
    assert len(told["feature_set_version"]) == 64
    assert pq.read_schema(dataset.path).names[: len(told["schema"])] == told["schema"]


def test_dataset_leads_forward_to_its_runs_and_releases(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    dataset = take(store, tmp_path, turbofan)
    store.run("r-1", dataset=dataset.id, code="0.1.0+abc")
    store.database.execute(
        "INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, created)"
        " VALUES ('turbofan-rul', 1, 'turbofan-rul/1', 'r-1', 'candidate', '', '', '{}', '{}', now())"
    )
    store.database.execute("INSERT INTO alias VALUES ('turbofan-rul', 'candidate', 1)")
    (made,) = made_of(store.database, dataset)
    assert (made["run"], made["release"], made["aliases"]) == ("r-1", "turbofan-rul/1", ["candidate"])


def test_datasets_may_lie_elsewhere(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    there = take(store, tmp_path, turbofan, datasets_url="memory://lake/andon/")
    assert there.location == f"memory://lake/andon/turbofan-rul/{there.hash[:12]}.parquet"
    assert len(find(store.database, tmp_path, there.id).examples()) == there.rows
    assert take(store, tmp_path, turbofan) == there  # where it lies is known
    assert not list(tmp_path.rglob("*.parquet"))
    assert store.database.rows(making.SQL["files"]) == []  # none of a backup's
    assert store.database.row(making.SQL["elsewhere"]) == {"datasets": 1}  # and it says so
    with pytest.raises(DatasetError, match="is no file here"):
        _ = there.path


def test_a_place_that_is_away_is_told_in_a_sentence(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    for url, why in (("ftp://127.0.0.1:9/andon", "refused"), ("nowhere://andon", "Protocol not known")):
        with pytest.raises(
            UnreachableError, match=f"{url}.* cannot be reached .*{why}.*: check datasets_url"
        ):
            take(store, tmp_path, turbofan, datasets_url=url)
    assert find_all(store.database, tmp_path) == []


def test_a_place_that_is_no_url_is_refused_when_the_hub_starts(tmp_path: Path) -> None:
    settings = {"state_dir": str(tmp_path), "datasets_url": "/srv/datasets"}
    with pytest.raises(ConfigError, match="datasets_url: string should match pattern"):
        HubConfig.parse(settings, origin="hub.toml")
    assert HubConfig.parse(settings | {"datasets_url": "s3://lake/andon"}, origin="hub.toml").datasets_url


def test_unknown_dataset_is_named(store: Stored, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no dataset named 'x-1'"):
        find(store.database, tmp_path, "x-1")


@pytest.mark.parametrize("lost", ["data", "manifest", "damaged"])
def test_what_was_lost_or_damaged_is_written_again_by_the_next_snapshot(
    store: Stored, tmp_path: Path, turbofan: UseCase, lost: str
) -> None:
    fleet(store)
    dataset = take(store, tmp_path, turbofan)
    manifest = dataset.path.with_suffix(".json")
    if lost == "damaged":
        dataset.path.write_bytes(dataset.path.read_bytes()[:-100])
    else:
        (manifest if lost == "manifest" else dataset.path).unlink()
    if lost != "manifest":
        with pytest.raises(DatasetError, match="restore it, or take a new snapshot"):
            dataset.examples()
    assert take(store, tmp_path, turbofan) == dataset
    assert len(dataset.examples()) == dataset.rows
    assert manifest.exists()


def test_an_empty_store_or_span_is_refused_with_what_to_do(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    with pytest.raises(DatasetError, match="expected machines of class 'turbofan', got none: has a device"):
        take(store, tmp_path, turbofan)
    store.add("strange", units={"pressure": "kPa"})
    with pytest.raises(DatasetError, match=r"got none: strange: .* pressure in kPa instead of bar"):
        take(store, tmp_path, turbofan)
    store.add("spare")
    with pytest.raises(
        DatasetError,
        match=r"expected feature rows of spare .* got none .left out: strange: .*: do the devices",
    ):
        take(store, tmp_path, turbofan)
    fleet(store)
    since = to_datetime(BEGIN_US + 400 * HOUR_US)
    with pytest.raises(DatasetError, match=r"expected feature rows of engine-0, .* from 20.* got none"):
        snapshot(store.database, tmp_path, turbofan, CLOCK, since=since)


def test_too_few_failures_are_counted_with_what_was_left_out(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store, machines=3)
    with pytest.raises(DatasetError, match=r"at least 6 failures on 4 machines .* got 3 on 3"):
        take(store, tmp_path, turbofan)
    store.add("engine-x", units={"pressure": "kPa"})
    with pytest.raises(DatasetError, match=r"left out: engine-x: .* pressure in kPa instead of bar"):
        take(store, tmp_path, turbofan)


def test_strange_machines_are_left_out_by_name(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    """One of other units, one whose unit changed in mid-life, one whose rows have another width."""
    fleet(store)
    plain = take(store, tmp_path, turbofan)
    store.add("engine-x", units={"pressure": "kPa"})
    store.rows("engine-x", [BEGIN_US], life_of(store, 1, 1))
    store.declare("engine-7", BEGIN_US + 30 * HOUR_US, units={"pressure": "kPa"})
    store.rows("engine-5", [BEGIN_US + 9], np.zeros((1, 5), np.float32))
    found = take(store, tmp_path, turbofan)
    assert sorted(found.manifest["left_out"]) == ["engine-5", "engine-7", "engine-x"]
    assert "pressure in kPa instead of bar" in found.manifest["left_out"]["engine-x"]
    assert "its signals changed, seen" in found.manifest["left_out"]["engine-7"]
    assert "expected 17 features a row, got 5 in 1 rows" in found.manifest["left_out"]["engine-5"]
    assert (plain.machines, found.machines) == (9, 7)
    assert "engine-x" not in found.examples().machines


def test_a_span_that_begins_in_mid_life_makes_no_machine_younger(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    since = to_datetime(BEGIN_US + 30 * HOUR_US)
    whole = take(store, tmp_path, turbofan).examples()
    part = snapshot(store.database, tmp_path, turbofan, CLOCK, since=since).examples()
    later = whole.where(whole.times >= BEGIN_US + 30 * HOUR_US)
    assert part.age.min() == 30
    np.testing.assert_array_equal(part.age, later.age)
    np.testing.assert_array_equal(part.health, later.health)


def test_rows_with_a_nan_are_left_out(store: Stored, tmp_path: Path, turbofan: UseCase) -> None:
    fleet(store)
    first = take(store, tmp_path, turbofan)
    store.rows("engine-8", [BEGIN_US + HOUR_US * 400], np.full((1, FEATURES), np.nan, np.float32))
    assert take(store, tmp_path, turbofan) == first


def test_bad_data_stops_the_line_with_reason_and_remedy(
    store: Stored, tmp_path: Path, turbofan: UseCase
) -> None:
    fleet(store)
    sensors = turbofan.model_copy(
        update={
            "signals": (turbofan.signals[0].model_copy(update={"low": 0.0, "high": 0.5}), turbofan.signals[1])
        }
    )
    with pytest.raises(
        DatasetError,
        match=r"too bad to learn from: .*pressure are beyond what its sensor can show: check unit",
    ):
        take(store, tmp_path, sensors)
