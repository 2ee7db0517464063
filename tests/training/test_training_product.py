"""A product of every task, the same whoever makes it, wherever, and after whatever interruption."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloud_hub.errors import ConfigError, DatasetError, UnreachableError
from cloud_hub.training import cluster, code
from cloud_hub.training.executor import InProcess
from cloud_hub.training.fits import Fits
from cloud_hub.training.making import thinned
from cloud_hub.training.product import Product, inputs, learn_table, make
from models import graphs
from models.errors import FitError
from models.examples import FAULTY, SOUND
from tests.training.made_machines import at_two_speeds, machines, under_conditions, use_case

LIFE, CLASSES, ANOMALY = use_case("remaining-life"), use_case("fault-class"), use_case("anomaly")


@pytest.fixture(scope="module")
def product() -> Product:
    return make(machines(), LIFE)


def test_one_graph_has_every_output_of_its_task(product: Product) -> None:
    for found, wanted in (
        (product, LIFE),
        (make(machines(), CLASSES), CLASSES),
        (make(machines(), ANOMALY), ANOMALY),
    ):
        graphs.check(found.onnx, width=6, outputs=wanted.outputs)
        assert graphs.Runner(found.onnx).outputs == wanted.outputs
        assert found.unseen.shape == (len(found.examples), len(wanted.outputs))
        assert (found.interval is None) == (wanted.task != "remaining-life")


def test_every_output_is_right_on_machines_that_no_member_had_seen(product: Product) -> None:
    rows = product.examples
    life, anomaly, ball, outer = product.unseen.T
    known = rows.failed
    error = np.abs(life[known] - np.minimum(rows.remaining[known], 60))
    assert error.mean() < 8
    faulty = rows.health == FAULTY
    assert ((ball > outer)[faulty] == (rows.fault[faulty] == 0)).mean() > 0.9
    assert np.median((ball + outer)[rows.health == SOUND]) < 0.2
    assert np.median(anomaly[faulty]) > 1 > np.median(anomaly[rows.health == SOUND])


def test_seed_in_place_of_the_budgets_gives_another_product(product: Product) -> None:
    assert make(machines(), LIFE, seed=LIFE.budget.seed).onnx == product.onnx
    assert make(machines(), LIFE, seed=2).onnx != product.onnx


class KilledError(Exception):
    pass


class Counting(InProcess):
    """Counts the fits, and dies before the one called ``last``."""

    def __init__(self, last: int = 99) -> None:
        self.fits, self.last = 0, last

    def _learn(self, *arguments):
        if self.fits == self.last:
            raise KilledError
        self.fits += 1
        return super()._learn(*arguments)


def test_killed_training_goes_on_with_the_fits_it_had_finished(product: Product, tmp_path: Path) -> None:
    first, second = Counting(last=4), Counting()
    with pytest.raises(KilledError):
        make(machines(), LIFE, executor=first, fits=Fits(tmp_path))
    again = make(machines(), LIFE, executor=second, fits=Fits(tmp_path))
    assert (first.fits, second.fits) == (4, 2)
    assert again.onnx == product.onnx
    assert np.array_equal(again.unseen, product.unseen)


def test_fit_that_was_cut_short_is_fitted_again(product: Product, tmp_path: Path) -> None:
    make(machines(), LIFE, fits=Fits(tmp_path))
    files = sorted(tmp_path.iterdir())
    files[0].write_bytes(files[0].read_bytes()[:200])
    files[1].write_bytes(b"")
    executor = Counting()
    assert make(machines(), LIFE, executor=executor, fits=Fits(tmp_path)).onnx == product.onnx
    assert executor.fits == 2


def test_fits_of_other_rows_or_settings_are_not_taken_for_these(tmp_path: Path) -> None:
    make(machines(), LIFE, fits=Fits(tmp_path))
    other = machines()
    other.features[0, 0] += 0.5
    settings = LIFE.model_copy(update={"network": LIFE.network.model_copy(update={"dropout": 0.2})})
    for rows, wanted in ((other, LIFE), (machines(), settings)):
        executor = Counting()
        make(rows, wanted, executor=executor, fits=Fits(tmp_path))
        assert executor.fits == 6


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.filterwarnings(  # distributed drops a connection to a worker that is cancelled while it connects
    "ignore:.*unclosed <socket:ResourceWarning",
    "ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning",
)
def test_dask_cluster_of_processes_gives_the_same_bytes(product: Product) -> None:
    """Fitted in processes that hash strings differently, joined here."""
    from distributed import Client, LocalCluster

    quiet = {"dashboard_address": ":0", "worker_dashboard_address": ":0", "silence_logs": 50}
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        env={"PYTHONHASHSEED": "77"},
        **quiet,
    ) as local:
        with cluster.connected(local.scheduler_address) as executor:
            told: list[str] = []
            found = make(machines(), LIFE, executor=executor, watch=lambda stage, share: told.append(stage))
            assert found.onnx == product.onnx
            assert "training: life, 0 of 3 members done" in told
            rows = at_two_speeds()
            table = learn_table(rows, under_conditions())
            assert np.array_equal(inputs(rows, table, executor).features, inputs(rows, table).features)
            with pytest.raises(KilledError):
                make(machines(), LIFE, seed=9, executor=executor, watch=_cancel)
        with Client(local) as client:
            assert {*client.run(os.getenv, "PYTHONHASHSEED").values()} == {"77"}


def _cancel(stage: str, share: float) -> None:
    raise KilledError


def test_cluster_that_is_away_is_named_with_what_to_do() -> None:
    with (
        pytest.raises(UnreachableError, match=r"tcp://127.0.0.1:9 does not answer.*take dask_scheduler"),
        cluster.connected("tcp://127.0.0.1:9", patience_s=0.2),
    ):
        pass


def test_workers_with_other_code_are_refused() -> None:
    found = {"tcp://10.0.0.6:1": "0.0.9+abc", "tcp://10.0.0.7:1": code.version()}
    with pytest.raises(
        ConfigError, match=r"expected workers with the code .*got 0.0.9\+abc on tcp://10.0.0.6:1"
    ):
        cluster.check_workers(found, "tcp://10.0.0.5:8786")
    with pytest.raises(UnreachableError, match="has no workers"):
        cluster.check_workers({}, "tcp://10.0.0.5:8786")


def test_without_a_cluster_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cluster.VARIABLE, raising=False)
    with cluster.executor("") as executor:
        assert isinstance(executor, InProcess)


def test_only_one_fault_class_with_lives_is_refused_by_name() -> None:
    rows = machines()
    with pytest.raises(
        DatasetError, match=r"at least 2 lives with each fault, got fewer of outer race \(0\)"
    ):
        make(replace(rows, fault=np.minimum(rows.fault, 0)), CLASSES)


def test_fault_that_nobody_has_named_does_not_hold_up_remaining_life() -> None:
    rows = machines()
    found = make(replace(rows, fault=np.full_like(rows.fault, -1)), LIFE)
    assert found.metrics["faults_not_told"] == ["ball (0)", "outer race (0)"]
    assert (graphs.Runner(found.onnx, LIFE.outputs[2:]).run(rows.features) == 0).all()


def test_rows_of_no_sound_machine_are_refused() -> None:
    rows = machines()
    for wanted in (ANOMALY, CLASSES):
        with pytest.raises(DatasetError, match="expected rows of sound machines"):
            make(
                replace(
                    rows, health=np.full_like(rows.health, FAULTY), fault=rows.machine.astype(np.int16) % 2
                ),
                wanted,
            )


def test_constant_signals_are_refused() -> None:
    rows = machines()
    with pytest.raises(FitError, match=r"constants only \(6 of 6 may be used\)"):
        make(replace(rows, features=np.ones_like(rows.features)), LIFE)


def test_feature_set_that_is_read_under_conditions_needs_some() -> None:
    wanted = LIFE.model_copy(update={"feature_set": "condition-trend/1"})
    with pytest.raises(DatasetError, match=r"expected \[conditions\] in the use case made-up, got none"):
        make(machines(), wanted)


@pytest.mark.parametrize("most", [1, 7, 100, 333, 1558, 5000])
def test_thinned_rows_are_spread_over_all_and_no_more_than_asked_for(most: int) -> None:
    rows = machines(12, 2)
    kept = np.flatnonzero(thinned(rows, most))
    step = -(-len(rows) // most)
    assert len(kept) == -(-len(rows) // step) <= max(most, 1)
    assert [*kept // step] == [*range(len(kept))]
    assert np.array_equal(kept, np.flatnonzero(thinned(rows, most)))


def test_thinned_rows_are_of_every_hour_of_the_day() -> None:
    """Every twelfth of two-hourly rows is always of the same hour."""
    rows = machines(40, 0, length=200)
    kept = np.flatnonzero(thinned(rows, -(-len(rows) // 12)))
    counts = np.bincount(kept % 12, minlength=12)
    assert counts.min() > 0.5 * counts.mean()
