"""Versions are given once, kept for good, and lead back to the rows they were made of."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloud_hub.compiler import bundle
from cloud_hub.compiler.golden import choose
from cloud_hub.dataset.snapshot import Dataset, snapshot
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows.precisions import no_worse
from cloud_hub.registry.manifests import draw_up
from cloud_hub.registry.models import Registry
from cloud_hub.registry.trace import trace
from cloud_hub.store.database import Database
from cloud_hub.training.train import Candidate, train
from kernels.errors import KernelInputError
from models import graphs, use_case
from models.examples import Examples
from models.use_case import UseCase
from tests.stored_machines import BEGIN_US, HOUR_US, Stored, fleet
from wire.bundle import read_bundle
from wire.clock import Clock
from wire.manifest import Manifest


@pytest.fixture(scope="module")
def quick() -> UseCase:
    found = use_case.find("turbofan-rul")
    return found.model_copy(
        update={
            "life": found.life.model_copy(update={"least_failures": 6}),
            "budget": found.budget.model_copy(update={"epochs": 3, "members": 2}),
            "network": found.network.model_copy(update={"hidden": (8,)}),
        }
    )


class Shop:
    """A store with a dataset, a candidate trained on it, and the registry."""

    def __init__(self, database: Database, folder: Path, quick: UseCase) -> None:
        self.store = Stored(database)
        fleet(self.store)
        self.use_case = quick
        self.folder = folder
        self.registry = Registry(database, folder, Clock.real())
        self.dataset: Dataset = snapshot(database, folder, quick, Clock.real())
        self.examples: Examples = self.dataset.examples()
        self.candidate: Candidate = train(self.examples, quick)

    def manifest(self, run: str) -> Manifest:
        return draw_up(
            self.use_case,
            names=self.candidate.names,
            units=self.candidate.units,
            table=self.candidate.conditions,
            interval=self.candidate.interval,
            alarms=self.candidate.alarms,
            highest_anomaly=self.candidate.highest_anomaly,
            lineage={"run": run, "dataset": self.dataset.id, "dataset_hash": self.dataset.hash},
        )

    def register(self, run: str, *, passed: bool = True) -> str:
        self.store.run(run, dataset=self.dataset.id, code="0.1.0+abc", metrics=dict(self.candidate.metrics))
        gate = self.candidate.verdict.to_fields() | {"passed": passed}
        with self.registry.database.transaction() as connection:
            return self.registry.register(
                connection, run=run, onnx=self.candidate.onnx, manifest=self.manifest(run), gate=gate
            )


@pytest.fixture
def shop(database: str, tmp_path: Path, quick: UseCase) -> Iterator[Shop]:
    with Database(database) as opened:
        yield Shop(opened, tmp_path, quick)


def test_versions_count_up_and_the_gate_decides_what_they_are(shop: Shop) -> None:
    assert shop.register("r-1") == "turbofan-rul/1"
    assert shop.register("r-2", passed=False) == "turbofan-rul/2"
    assert shop.registry.get("turbofan-rul/1").state == "candidate"
    assert shop.registry.get("turbofan-rul/2").state == "refused"
    candidate = shop.registry.aliased("turbofan-rul", "candidate")
    assert candidate is not None
    assert candidate.version == 1
    assert shop.registry.aliased("turbofan-rul", "champion") is None


def test_run_registers_one_model_once(shop: Shop) -> None:
    shop.register("r-1")
    with (
        pytest.raises(ConflictError, match="run r-1 has registered turbofan-rul/1 already"),
        shop.registry.database.transaction() as connection,
    ):
        shop.registry.register(
            connection, run="r-1", onnx=b"x", manifest=shop.manifest("r-1"), gate={"passed": True}
        )


def test_registered_manifest_says_what_a_device_needs(shop: Shop) -> None:
    model = shop.registry.get(shop.register("r-1"))
    manifest = model.manifest
    assert (manifest.release, manifest.version) == ("turbofan-rul/1", 1)
    assert [output.name for output in manifest.outputs] == ["remaining_life", "anomaly"]
    assert manifest.outputs[0].high == 125.0
    assert tuple(value.name for value in manifest.inputs) == shop.candidate.names
    assert tuple(value.unit for value in manifest.inputs) == shop.candidate.units
    assert manifest.alarms[0].direction == "below"
    assert manifest.interval is not None
    assert manifest.lineage["dataset_hash"] == shop.dataset.hash


def test_network_is_read_back_as_it_was_registered(shop: Shop) -> None:
    model = shop.registry.get(shop.register("r-1"))
    assert shop.registry.onnx(model) == shop.candidate.onnx
    path = shop.folder / model.onnx_path
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ConflictError, match="expected SHA-256"):
        shop.registry.onnx(model)
    path.unlink()
    with pytest.raises(ConflictError, match="cannot be read"):
        shop.registry.onnx(model)


def test_learning_machines_of_a_champion_are_known(shop: Shop) -> None:
    model = shop.registry.get(shop.register("r-1"))
    assert shop.registry.learning(model) == frozenset(shop.candidate.metrics["learning"])


@pytest.mark.parametrize(
    ("said", "learnt"),
    [
        ({"learnt_from": None, "learning": ["a", "b", "c"]}, {*"abc"}),
        ({"learnt_from": ["a"], "learning": ["a"]}, {"a"}),
        ({"learning": ["a", "b"]}, {*"abc"}),
    ],
    ids=["nobody said", "one is named", "judged before anybody could say"],
)
def test_network_made_elsewhere_may_have_learnt_from_all_that_nobody_excepts(
    shop: Shop, said: dict[str, object], learnt: set[str]
) -> None:
    release = shop.register("r-1")
    shop.store.run("r-2", metrics={"made_elsewhere": True, "held_out": ["c"]} | said)
    assert shop.registry.learning(replace(shop.registry.get(release), run="r-2")) == learnt


def test_unknown_release_is_named(shop: Shop) -> None:
    with pytest.raises(NotFoundError, match="no release named 'turbofan-rul/9'"):
        trace(shop.registry, "turbofan-rul/9")


def test_trace_leads_from_a_release_to_its_rows_and_to_its_predictions(shop: Shop) -> None:
    release = shop.register("r-1")
    shop.store.predict("engine-1", [BEGIN_US, BEGIN_US + HOUR_US], [(9, 8, 10, 0.1)] * 2, release)
    found = trace(shop.registry, release)
    source = found.source
    assert (source.run, source.code, source.dataset) == ("r-1", "0.1.0+abc", shop.dataset.id)
    assert source.dataset_hash == shop.dataset.hash
    assert source.rows == sum(source.rows_by_machine.values()) == len(shop.examples)
    assert source.failures == 8
    assert len(source.feature_set_version) == 64
    assert source.span[0] < source.span[1]
    assert found.predictions["predictions"] == 2
    assert found.to_fields()["gate"]["passed"]


def test_bundle_of_a_release_is_the_same_bytes_every_time(shop: Shop) -> None:
    found = trace(shop.registry, shop.register("r-1"))
    paths = [shop.folder / name for name in ("a.zip", "b.zip")]
    made = (found, shop.use_case, shop.candidate.onnx, shop.examples)
    told = [[each.told() for each in bundle.build(*made, path, judging=no_worse)] for path in paths]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert told[0] == told[1] != []
    read = read_bundle(paths[0])
    assert read.manifest == found.model.manifest
    assert len(read.golden_inputs) <= 64
    answers = graphs.Runner(read.onnx).run(read.golden_inputs)
    np.testing.assert_array_equal(answers, read.golden_outputs)
    assert "engine-" in read.card_html
    assert "http" not in read.card_html  # a card needs no other file


def test_bundle_of_another_dataset_is_refused(shop: Shop) -> None:
    found = trace(shop.registry, shop.register("r-1"))
    other = replace(
        shop.examples,
        names=shop.examples.names[:4],
        units=shop.examples.units[:4],
        features=shop.examples.features[:, :4],
    )
    with pytest.raises(KernelInputError, match=r"features: expected <scalar>\.last"):
        bundle.build(found, shop.use_case, shop.candidate.onnx, other, shop.folder / "x", judging=no_worse)


def test_golden_inputs_reach_from_the_rim_to_worn_out_machines(shop: Shop) -> None:
    golden = choose(shop.examples)
    assert 32 <= len(golden) <= 64
    assert len(np.unique(golden, axis=0)) == len(golden)
    features = shop.examples.features
    strangest = np.argmax((np.abs(features - features.mean(axis=0)) / features.std(axis=0)).max(axis=1))
    assert (golden == features[strangest]).all(axis=1).any()
    worn_out = features[shop.examples.remaining == 0]
    assert (golden[:, None] == worn_out).all(axis=2).any()
    np.testing.assert_array_equal(golden, choose(shop.examples))
    few = shop.examples.where(np.arange(len(shop.examples)) < 5)
    assert len(choose(few)) == 5
