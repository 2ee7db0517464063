"""Operating conditions are found where the scalars tell them apart, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import sets
from kernels.conditions import UNKNOWN, assign
from models.conditions import conditions_of, derive, learn
from models.declared.machines import Conditions
from models.errors import FitError
from models.examples import Examples

SCALARS = ("speed", "load", "pressure", "idle")
EXTRACTOR = sets.make("condition-trend/1", scalars=SCALARS, units={"pressure": "bar"})
BY_SPEED = Conditions(signals=("speed", "load"), count=4)


def examples(*lives: NDArray[np.float64]) -> Examples:
    lengths = [len(life) for life in lives]
    count = sum(lengths)
    return Examples(
        machines=tuple(f"m{number}" for number in range(len(lives))),
        sites=("lyon",) * len(lives),
        faults=(),
        names=EXTRACTOR.names,
        units=EXTRACTOR.units,
        machine=np.repeat(np.arange(len(lives)), lengths).astype(np.int32),
        times=np.arange(count),
        life=np.ones(count, np.int32),
        age=np.concatenate([np.arange(length) for length in lengths]).astype(np.float32),
        remaining=np.full(count, np.nan, np.float32),
        health=np.full(count, -1, np.int8),
        fault=np.full(count, -1, np.int16),
        features=np.concatenate([EXTRACTOR.batch(np.arange(len(life)), life) for life in lives]),
    )


def life(seed: int, *, effect: float, count: int = 200, speeds: tuple[float, ...] = (100, 200)) -> NDArray:
    """Speed changes at every reading; pressure follows it by ``effect``."""
    rng = np.random.default_rng(seed)
    place = np.arange(count) % len(speeds)
    speed = np.array(speeds, float)[place] + rng.normal(0, 0.5, count)
    pressure = 10.0 + effect * place + rng.normal(0, 1.0, count)
    return np.stack([speed, np.full(count, 3.0), pressure, np.full(count, 7.0)], axis=1)


def test_conditions_lie_where_machines_are_run_and_know_what_is_usual_there() -> None:
    table = learn(examples(life(1, effect=20.0), life(2, effect=20.0)), BY_SPEED, seed=1)
    order = np.argsort([centre[0] for centre in table.centres])
    speeds = [table.centres[place][0] * table.scale[0] for place in order]
    assert speeds == pytest.approx([100, 200], abs=0.5)
    assert table.scalars == ("pressure", "idle")
    assert [table.mean[place][0] for place in order] == pytest.approx([10, 30], abs=0.3)
    assert [table.spread[place] for place in order] == [pytest.approx((1.0, 0.0), abs=0.1)] * 2


def test_conditions_in_which_all_scalars_read_alike_are_one() -> None:
    table = learn(examples(life(1, effect=0.0)), BY_SPEED, seed=1)
    assert len(table.centres) == 1
    assert assign(table, [[100.0, 3.0], [200.0, 3.0]]).tolist() == [0, 0]


def test_a_reading_far_from_all_that_was_learnt_is_in_no_condition() -> None:
    known = examples(life(1, effect=20.0))
    table = learn(known, BY_SPEED, seed=1)
    assert UNKNOWN not in conditions_of(known, table), "training readings are known"
    found = assign(table, [[100.0, 3.0], [150.0, 3.0], [100.0, 3.5]])
    assert found.tolist()[1:] == [UNKNOWN, UNKNOWN]
    assert found[0] != UNKNOWN


def test_a_condition_seen_too_rarely_is_refused_by_where_it_lies() -> None:
    rare = life(1, effect=20.0)
    rare[50:60, 0], rare[50:60, 2] = 900.0, 500.0
    with pytest.raises(FitError, match=r"speed 900, load 3: expected at least 30 readings, got 10"):
        learn(examples(rare), BY_SPEED, seed=1)


def test_a_feature_set_without_the_signal_is_refused() -> None:
    with pytest.raises(FitError, match=r"expected a feature torque\.last, got speed\.last"):
        learn(examples(life(1, effect=1.0)), Conditions(signals=("torque",)), seed=1)


def test_the_same_examples_give_the_same_table() -> None:
    known = examples(life(1, effect=20.0), life(2, effect=20.0))
    assert learn(known, BY_SPEED, seed=3) == learn(known, BY_SPEED, seed=3)


def test_inputs_are_derived_machine_by_machine() -> None:
    known = examples(life(1, effect=20.0), life(2, effect=20.0, count=90))
    table = learn(known, BY_SPEED, seed=1)
    derived, under = derive(known, table), EXTRACTOR.under(table)
    assert (derived.names, derived.units) == (under.names, under.units)
    second = known.features[known.machine == 1]
    np.testing.assert_array_equal(derived.features[derived.machine == 1], under.derive_batch(second))
    assert abs(derived.features[:, derived.names.index("pressure.mean60")]).max() < 3


def test_a_row_is_derived_only_where_the_store_holds_what_its_device_remembered() -> None:
    """From a device across a restored image, a long hole and a short one: what is left is what it derived."""
    readings = life(2, effect=20.0, count=900)
    table = learn(examples(readings), BY_SPEED, seed=1)
    under, state = EXTRACTOR.under(table), EXTRACTOR.initial()
    rows, device = [], []
    for place, reading in enumerate(readings):
        if place == 300:
            kept = state.to_bytes()
        if place == 500:
            state = EXTRACTOR.restore(kept)
        rows.append(EXTRACTOR.update(state, place, reading))
        device.append(under.derive(state))
    told = replace(examples(readings), features=np.array(rows))
    stored = np.r_[0:100, 101:150, 250:900]  # 500 and what follows are of the older image
    derived = derive(told.where(np.isin(np.arange(900), stored)), table)
    assert derived.times.tolist() == [*range(100), *range(101, 150), *range(309, 500)]
    late = np.isin(derived.times, [*range(100), *range(309, 500)])
    np.testing.assert_array_equal(derived.features[late], np.array(device)[derived.times[late]])
    middle = derive(told.where(np.isin(np.arange(900), range(200, 400))), table)
    assert not len(middle)


def test_rows_of_a_machine_run_as_none_in_training_are_left_out_with_all_their_columns() -> None:
    known = examples(life(1, effect=20.0), life(2, effect=20.0))
    table = learn(known, BY_SPEED, seed=1)
    strange = life(3, effect=20.0)
    strange[100:, 0] = 555.0
    derived = derive(examples(strange, life(4, effect=20.0)), table)
    assert (derived.machine == 0).sum() == 105, "until more than half of the last ten are unknown"
    assert derived.age[derived.machine == 0].max() == 104
    assert len(derived.times) == len(derived.features) == 305
