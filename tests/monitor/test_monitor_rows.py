"""What recent rows are before they are compared: how old, under which condition, and which of their features count."""

import numpy as np
import pytest

from cloud_hub.monitor.edges import tightened
from cloud_hub.monitor.lives_begun import Begun, aged
from cloud_hub.monitor.seen import see, used_inputs
from kernels.conditions import ConditionTable, assign
from models.declared.machines import Life
from models.examples import Examples
from models.use_case import find

HOUR_US = 3_600_000_000
USE_CASE = find("motor-health")


def rows(features, *, names=("speed.last", "rms"), life=1):
    count = len(features)
    return Examples(
        machines=("pump-1",),
        sites=("lyon",),
        faults=(),
        names=names,
        units=("1",) * len(names),
        machine=np.zeros(count, np.int32),
        times=np.arange(count, dtype=np.int64) * HOUR_US,
        life=np.full(count, life, np.int32),
        age=np.arange(count, dtype=np.float32),
        remaining=np.full(count, np.nan, np.float32),
        health=np.full(count, -1, np.int8),
        fault=np.full(count, -1, np.int16),
        features=np.asarray(features, np.float32),
    )


class Answers:
    """A network of two features that looks at the first alone."""

    def run(self, features):
        return np.repeat(features[:, :1], len(USE_CASE.outputs), axis=1)


@pytest.mark.parametrize(
    ("life", "first"),
    [
        (Life(measured_in="time", unit="h", cap=100), 30.0),
        (Life(measured_in="readings", unit="{cycle}", cap=100), 7.0),
    ],
)
def test_rows_read_in_mid_life_are_as_old_as_their_life(life, first):
    found = aged(rows(np.zeros((4, 2))), {"pump-1": Begun(began_us=-30 * HOUR_US, rows=7)}, life)
    assert found.age.tolist() == [first, first + 1, first + 2, first + 3]


def test_a_machine_first_seen_in_mid_life_is_of_unknown_age():
    features = np.zeros((3, 2), np.float32)
    young, unknown = (
        see(rows(features, life=life), np.zeros(3, np.int16), Answers(), (0,), USE_CASE).age
        for life in (2, 1)
    )
    assert young.tolist() == [0, 1, 2]
    assert np.isnan(unknown).all()


def test_only_inputs_that_an_answer_depends_on_count():
    features = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    assert used_inputs(features, Answers()) == (0,)
    seen = see(rows(features), np.zeros(50, np.int16), Answers(), (0,), USE_CASE)
    assert seen.variables == ("speed.last", *USE_CASE.outputs)
    assert [seen.variables[index] for index in seen.health] == ["remaining_life"]


def test_conditions_end_where_hardly_any_row_of_the_dataset_lies():
    speeds = np.concatenate([np.random.default_rng(1).normal(1000, 10, 2000), [1400.0]])
    table = ConditionTable(
        signals=("speed",),
        scale=(10.0,),
        centres=((100.0,),),
        radius=(80.0,),
        scalars=("rms",),
        mean=((0.0,),),
        spread=((1.0,),),
    )
    tight = tightened(table, rows(np.column_stack([speeds, speeds])))
    assert assign(table, [[1200.0]]).tolist() == [0]
    assert assign(tight, [[1200.0], [1020.0]]).tolist() == [-1, 0]
    assert (assign(tight, speeds[:, None]) == 0).mean() == pytest.approx(0.995, abs=0.002)
