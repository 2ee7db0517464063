"""Another world is noticed; the same world with other machines, more wear or another mix of conditions is not."""

import dataclasses

import numpy as np
import pytest
from fleets import fleet

from cloud_hub.errors import DatasetError
from cloud_hub.monitor.drift import compare
from cloud_hub.monitor.sketch import STRETCH_ROWS, Sketch
from models.declared.retraining import Drift

RULE = Drift()
DAYS = 2.0
HOURS = 48
SIZES = [(8, 4), (15, 10), (40, 40)]  # machines of the dataset, and of the recent rows


@pytest.fixture(scope="module")
def sketches():
    """A sketch for each size of dataset, of 30 days an hour apart."""
    return {
        machines: Sketch.of(fleet(np.random.default_rng(machines), machines=machines, hours=720), days=DAYS)
        for machines, _ in SIZES
    }


def look(sketch, seed, machines, **drawn):
    recent = fleet(np.random.default_rng(seed), machines=machines, hours=HOURS, **drawn)
    return compare(sketch, sketch.code(recent), RULE, np.random.default_rng(0))


@pytest.mark.parametrize(("dataset", "recent"), SIZES)
def test_an_unshifted_fleet_of_any_size_starts_nothing(dataset, recent):
    for seed in range(4):
        rng = np.random.default_rng(100 + seed)
        sketch = Sketch.of(fleet(rng, machines=dataset, hours=720), days=DAYS)
        now = sketch.code(fleet(rng, machines=recent, hours=HOURS))
        assert compare(sketch, now, RULE, np.random.default_rng(0)).reasons(RULE) == ()


@pytest.mark.parametrize(("dataset", "recent"), SIZES[1:])
def test_a_shift_of_the_noise_by_one_and_a_half_is_noticed(sketches, dataset, recent):
    found = [look(sketches[dataset], 100 + seed, recent, shift=1.5) for seed in range(2)]
    assert all(each.reasons(RULE) for each in found)
    assert {moved.variable for moved in found[0].comparisons[0].moved} == {"f0", "f1", "f2", "f3"}
    assert found[0].reasons(RULE)[0].startswith("drift of features: f")


def test_a_shift_of_fewer_features_than_count_is_none(sketches):
    assert not look(sketches[40], 7, 40, shift=3.0, shifted=RULE.features - 1).comparisons[0].drifted


def test_a_fleet_that_is_more_worn_than_the_dataset_has_not_drifted(sketches):
    found = look(sketches[40], 7, 40, worn=0.7)
    assert found.reasons(RULE) == ()
    worn = fleet(np.random.default_rng(7), machines=40, hours=HOURS, worn=0.7)
    new = fleet(np.random.default_rng(7), machines=40, hours=HOURS, worn=0.0)
    blind = dataclasses.replace(worn, band=new.band)  # as if all were well: the wear itself is to be seen
    sketch = sketches[40]
    assert compare(sketch, sketch.code(blind), RULE, np.random.default_rng(0)).comparisons[0].drifted


def test_another_mix_of_known_conditions_is_told_and_is_no_drift():
    reference = fleet(np.random.default_rng(3), machines=20, hours=720, conditions=2, mix=(0.8, 0.2))
    sketch = Sketch.of(reference, days=DAYS)
    found = look(sketch, 4, 12, conditions=2, mix=(0.2, 0.8))
    assert found.reasons(RULE) == ()
    assert found.mix == pytest.approx((0.2, 0.8), abs=0.05)
    assert found.mix_before == pytest.approx((0.8, 0.2), abs=0.05)
    without = fleet(np.random.default_rng(4), machines=12, hours=HOURS, conditions=2, mix=(0.2, 0.8))
    blind = Sketch.of(dataclasses.replace(reference, condition=reference.condition * 0), days=DAYS)
    unaware = blind.code(dataclasses.replace(without, condition=without.condition * 0))
    assert compare(blind, unaware, RULE, np.random.default_rng(0)).reasons(RULE)


def test_a_shift_under_one_of_two_conditions_names_it():
    reference = fleet(np.random.default_rng(3), machines=20, hours=720, conditions=2)
    sketch = Sketch.of(reference, days=DAYS)
    recent = fleet(np.random.default_rng(5), machines=12, hours=HOURS, conditions=2)
    recent.values[recent.condition == 1, :4] += 2
    (sentence,) = compare(sketch, sketch.code(recent), RULE, np.random.default_rng(0)).reasons(RULE)
    assert sentence.startswith("drift of features under condition 1: ")


def test_a_condition_that_the_dataset_does_not_know_is_drift(sketches):
    recent = fleet(np.random.default_rng(5), machines=10, hours=HOURS)
    recent.condition[::3] = -1
    sketch = sketches[15]
    found = compare(sketch, sketch.code(recent), RULE, np.random.default_rng(0))
    assert found.reasons(RULE) == ("drift: 33% of recent rows are under conditions new to the dataset",)


def test_too_few_machines_are_not_judged(sketches):
    found = look(sketches[15], 5, RULE.machines - 1, shift=9.0)
    assert found.reasons(RULE) == ()
    assert found.comparisons[0].why_not == "expected recent rows of at least 3 machines, got 2"


def test_more_rows_of_the_same_machines_change_no_verdict(sketches):
    sketch = sketches[15]
    once = fleet(np.random.default_rng(5), machines=10, hours=HOURS, shift=0.4)
    often = dataclasses.replace(
        once,
        **{
            name: np.repeat(getattr(once, name), 20, axis=0)
            for name in ("machine", "times", "condition", "band", "age", "values")
        },
    )
    sizes = [
        [
            (each.size, each.noise)
            for each in compare(sketch, sketch.code(seen), RULE, np.random.default_rng(0)).comparisons
        ]
        for seen in (once, often)
    ]
    assert sizes[1] == [pytest.approx(pair, rel=0.1) for pair in sizes[0]]


def test_a_sketch_comes_back_as_it_was_kept(sketches):
    sketch = sketches[15]
    again = Sketch.from_bytes(sketch.to_bytes())
    recent = fleet(np.random.default_rng(5), machines=10, hours=HOURS)
    first, second = (
        compare(each, each.code(recent), RULE, np.random.default_rng(0)) for each in (sketch, again)
    )
    assert first == second
    assert len(sketch.rows) <= 15 * 16 * STRETCH_ROWS


def test_rows_of_another_release_are_refused(sketches):
    recent = fleet(np.random.default_rng(5), machines=4, hours=HOURS)
    with pytest.raises(DatasetError, match="expected recent rows with the release's 9 variables, got 8"):
        sketches[8].code(dataclasses.replace(recent, variables=recent.variables[1:]))
