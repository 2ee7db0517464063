"""An interval keeps its promise for machines it has not seen, and says the same on the device and at the gate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from kernels.errors import KernelInputError
from kernels.interval import Interval, apply, bins, calibrate
from wire.manifest import IntervalTable

TABLE = Interval(coverage=0.9, edges=(0.0, 50.0, 100.0), lower=(5.0, 20.0, 30.0), upper=(8.0, 10.0, 60.0))
lives = st.floats(0, 1000, width=32)
rows = st.lists(st.tuples(lives, lives, st.integers(0, 5)), min_size=1, max_size=60)


def fleet(rng: np.random.Generator, machines: int) -> tuple[NDArray, NDArray, NDArray]:
    """Machines of very different length, each wrong in its own way: rows of one are far from independent."""
    counts = rng.integers(5, 200, machines)
    groups = np.repeat(np.arange(machines), counts)
    truth = rng.uniform(0, 300, len(groups))
    bias = rng.normal(0, 12, machines)[groups]
    return truth + bias + rng.normal(0, 3, len(groups)), truth, groups


def test_the_stated_share_of_new_machines_rows_is_covered() -> None:
    rng = np.random.default_rng(11)
    shares = []
    for _ in range(60):
        interval = calibrate(*fleet(rng, 40), coverage=0.9, edges=(0, 100, 200))
        predicted, truth, groups = fleet(rng, 40)
        low, high = apply(interval, predicted)
        covered = (low <= truth) & (truth <= high)
        shares.append(np.mean([covered[groups == number].mean() for number in range(40)]))
    # The promise is about the mean over calibrations; 0.01 is three standard errors of it here.
    assert np.mean(shares) >= 0.9 - 0.01
    assert np.mean(shares) <= 0.97


def test_every_bin_holds_the_stated_share_as_far_as_so_many_machines_can_tell() -> None:
    """One row each of new machines, so each is one trial: the shares lie in the binomial band, bin by bin."""
    rng = np.random.default_rng(23)
    calibrations, machines, edges = 40, 60, (0, 100, 200)
    inside: list[list[bool]] = [[] for _ in edges]
    for _ in range(calibrations):
        interval = calibrate(*fleet(rng, machines), coverage=0.8, edges=edges)
        predicted, truth, groups = fleet(rng, machines)
        drawn = [rng.choice(np.flatnonzero(groups == number)) for number in range(machines)]
        low, high = apply(interval, predicted[drawn])
        held = (low <= truth[drawn]) & (truth[drawn] <= high)
        for place, hit in zip(bins(edges, predicted[drawn]), held, strict=True):
            inside[place].append(bool(hit))
    for hits in [*inside, [hit for each in inside for hit in each]]:
        # The machine that counts as infinitely wrong adds up to 1 / (K + 1) on each side.
        low, _ = binom.ppf([0.025, 0.975], len(hits), 0.8) / len(hits)
        _, high = binom.ppf([0.025, 0.975], len(hits), 0.8 + 2 / (machines + 1)) / len(hits)
        assert low <= np.mean(hits) <= high


def test_a_machine_with_many_rows_does_not_outvote_the_others() -> None:
    wrong = [0.0] * 10_000 + [50.0] * 39
    groups = [0] * 10_000 + list(range(1, 40))
    interval = calibrate(np.zeros(len(wrong)), wrong, groups, coverage=0.8)
    assert interval.upper == (50.0,)


def test_few_machines_give_the_largest_miss_instead_of_infinity() -> None:
    interval = calibrate([10, 20, 30], [12, 15, 37], [1, 2, 3], coverage=0.9)
    assert (interval.lower, interval.upper) == ((5.0,), (7.0,))


def test_a_bin_that_no_machine_reached_takes_the_distance_of_all_bins() -> None:
    interval = calibrate([10, 20], [12, 15], [1, 2], coverage=0.9, edges=(0, 100))
    assert interval.lower == (5.0, 5.0)
    assert interval.upper == (2.0, 2.0)


@given(rows=rows, coverage=st.floats(0.5, 0.99))
def test_the_machines_it_was_calibrated_on_are_covered_on_average(rows: list, coverage: float) -> None:
    predicted, truth, groups = (np.array(column) for column in zip(*rows, strict=True))
    low, high = apply(calibrate(predicted, truth, groups, coverage=coverage), predicted)
    covered = (low - 1e-9 <= truth) & (truth <= high + 1e-9)
    by_machine = [covered[groups == group].mean() for group in np.unique(groups)]
    assert np.mean(by_machine) >= coverage - 1e-9


@given(rows=rows, edges=st.sets(st.integers(0, 900), min_size=1, max_size=5))
def test_an_interval_holds_its_own_prediction(rows: list, edges: set) -> None:
    predicted, truth, groups = (np.array(column) for column in zip(*rows, strict=True))
    low, high = apply(calibrate(predicted, truth, groups, coverage=0.9, edges=sorted(edges)), predicted)
    assert ((low >= 0) & (low <= predicted) & (predicted <= high)).all()


@given(rows=rows)
def test_a_higher_coverage_never_narrows_an_interval(rows: list) -> None:
    predicted, truth, groups = (np.array(column) for column in zip(*rows, strict=True))
    narrow = calibrate(predicted, truth, groups, coverage=0.6)
    wide = calibrate(predicted, truth, groups, coverage=0.95)
    assert wide.lower >= narrow.lower
    assert wide.upper >= narrow.upper


@settings(max_examples=200)
@given(predicted=st.lists(st.floats(-10, 500, width=32), min_size=1, max_size=20))
def test_device_and_gate_apply_the_same_interval(predicted: list[float]) -> None:
    """The device: one float32 at a time through the manifest's table; the gate: a whole array at once."""
    table = IntervalTable(coverage=0.9, edges=TABLE.edges, lower=TABLE.lower, upper=TABLE.upper)
    low, high = apply(TABLE, np.array(predicted, np.float32))
    for index, value in enumerate(predicted):
        assert apply(table, np.float32(value)) == (low[index], high[index])
    assert (low <= high).all()


def test_a_prediction_on_an_edge_belongs_to_the_bin_above() -> None:
    low, high = apply(TABLE, [-5.0, 0.0, 49.0, 50.0, 100.0, 1e6])
    assert low.tolist() == [0.0, 0.0, 44.0, 30.0, 70.0, 1e6 - 30]
    assert high.tolist() == [3.0, 8.0, 57.0, 60.0, 160.0, 1e6 + 60]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"coverage": 1.0}, "between 0 and 1"),
        ({"edges": (0.0, 0.0, 1.0)}, "rising"),
        ({"lower": (1.0,)}, "equally many"),
        ({"upper": (1.0, 2.0, float("inf"))}, "finite"),
        ({"upper": (1.0, 2.0, -1.0)}, "at least 0"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(change: dict, complaint: str) -> None:
    fields = {"coverage": 0.9, "edges": TABLE.edges, "lower": TABLE.lower, "upper": TABLE.upper} | change
    with pytest.raises(KernelInputError, match=complaint):
        Interval(**fields)


@pytest.mark.parametrize("rows", [([], [], []), ([1.0], [1.0, 2.0], [0]), ([float("nan")], [1.0], [0])])
def test_calibration_refuses_rows_it_cannot_use(rows: tuple) -> None:
    with pytest.raises(KernelInputError, match="expected"):
        calibrate(*rows)
