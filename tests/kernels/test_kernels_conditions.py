"""condition-trend/1: read through a table of conditions, the same on the device and at the hub."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import sets
from kernels.condition_trend import of_rows
from kernels.conditions import UNKNOWN, ConditionTable, assign
from kernels.errors import KernelInputError, KernelStateError

SCALARS = ("speed", "pressure", "flow", "idle")
TWO = ConditionTable(
    signals=("speed",),
    scale=(10.0,),
    centres=((10.0,), (20.0,)),  # 100 and 200
    radius=(0.5, 0.5),
    scalars=("pressure", "flow", "idle"),
    mean=((3.0, 10.0, 7.0), (6.0, 40.0, 7.0)),
    spread=((0.5, 2.0, 0.0), (1.0, 4.0, 0.0)),
)
ONE = replace(
    TWO,
    centres=((15.0,),),
    radius=(9.0,),
    mean=((4.5, 25.0, 7.0),),
    spread=((1.5, 15.0, 0.0),),
    scale=(10.0,),
)
EXTRACTOR = sets.make("condition-trend/1", scalars=SCALARS, units={"pressure": "bar"})


def readings(seed: int, count: int) -> NDArray[np.float64]:
    """A life that changes between both conditions, with gaps and now and then a speed nobody knows."""
    rng = np.random.default_rng(seed)
    fast = rng.random(count) < 0.4
    speed = np.where(rng.random(count) < 0.05, 777.0, np.where(fast, 200.0, 100.0)) + rng.normal(size=count)
    pressure = np.where(fast, 6.0, 3.0) + rng.normal(size=count) + np.arange(count) / 50
    flow = np.where(fast, 40.0, 10.0) + rng.normal(size=count)
    life = np.stack([speed, pressure, flow, np.full(count, 7.0)], axis=1)
    life[rng.random(life.shape) < 0.1] = np.nan
    return life


def device(life: NDArray, *tables: ConditionTable, restart: int = -1) -> tuple[list, list]:
    """Stored rows, and what a model with ``tables[index]`` (the last for all that follow) was given."""
    state, rows, given = EXTRACTOR.initial(), [], []
    for index, reading in enumerate(life):
        if index == restart:
            state = EXTRACTOR.restore(state.to_bytes())
        row = EXTRACTOR.update(state, index, reading)
        if row is not None:
            derived = EXTRACTOR.under(tables[min(index, len(tables) - 1)]).derive(state)
            rows.append(row)
            given.append(np.full(23, np.nan, np.float32) if derived is None else derived)
    return rows, given


def meaning(rows: NDArray, table: ConditionTable) -> NDArray:
    """What a model takes after the last of ``rows``, from the whole past in plain NumPy."""
    condition = np.array([_nearest(row[0], table) for row in rows])
    scores = np.zeros((len(rows), 3))
    for index, found in enumerate(condition):
        spread = np.array(table.spread[found])
        scores[index] = np.where(
            spread > 0, (rows[index, 1:4] - table.mean[found]) / np.where(spread > 0, spread, 1), 0
        )
    recent = [index for index in range(len(rows))[-60:] if condition[index] != UNKNOWN]
    first = [index for index in range(len(rows))[:30] if condition[index] != UNKNOWN]
    if np.mean(condition[-10:] == UNKNOWN) > 0.5:
        return np.full(23, np.nan)
    last30 = recent[-30:]
    found = []
    for scalar in range(3):
        z = scores[:, scalar]
        slope = np.polyfit(last30, z[last30], 1)[0] if len(last30) > 1 else 0.0
        mean10 = z[recent[-10:]].mean()
        found += [z[recent[-5:]].mean(), mean10, z[last30].mean(), z[recent].mean()]
        found += [z[last30].std(), slope, mean10 - z[first].mean() if first else 0.0]
    return np.array([*found, rows[-1, 4], np.mean(condition[-60:] == UNKNOWN)])


def _nearest(speed: float, table: ConditionTable) -> int:
    far = [abs(speed - centre[0] * table.scale[0]) / table.scale[0] for centre in table.centres]
    number = int(np.argmin(far))
    return number if far[number] <= table.radius[number] else UNKNOWN


@given(seed=st.integers(0, 2**31), count=st.integers(1, 150))
def test_the_hub_derives_from_stored_rows_what_the_device_gave_its_model(seed: int, count: int) -> None:
    rows, given = device(readings(seed, count), TWO)
    if rows:
        under = of_rows(EXTRACTOR.names, EXTRACTOR.units, TWO)
        np.testing.assert_array_equal(under.derive_batch(rows), given)


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 120))
def test_inputs_are_what_plain_numpy_says(seed: int, count: int) -> None:
    rows, given = device(readings(seed, count), TWO)
    for index in range(0, len(rows), 7):
        expected = meaning(np.array(rows[: index + 1], np.float64), TWO)
        np.testing.assert_allclose(given[index], expected, rtol=1e-5, atol=1e-5)


@given(seed=st.integers(0, 2**31), change=st.integers(0, 99), restart=st.integers(0, 99))
def test_a_new_table_reads_the_old_memory_at_once_also_after_a_restart(
    seed: int, change: int, restart: int
) -> None:
    life = readings(seed, 100)
    life[:, 0] = np.where(life[:, 0] > 500, 100.0, life[:, 0])
    rows, given = device(life, *[TWO] * change, ONE, restart=restart)
    whole = EXTRACTOR.under(ONE).derive_batch(rows)
    skipped = len(life) - len(rows)
    np.testing.assert_array_equal(given[max(change - skipped, 0) :], whole[max(change - skipped, 0) :])


def test_a_change_of_condition_alone_shows_nothing() -> None:
    fast = np.arange(80) % 3 == 0
    life = np.stack([np.where(fast, 200, 100), np.where(fast, 6, 3), np.where(fast, 40, 10)], axis=1)
    _, given = device(np.column_stack([life, np.full(80, 7.0)]), TWO)
    assert not np.array(given)[:, :21].any()


def test_a_scalar_that_was_constant_in_training_says_nothing_whatever_it_does() -> None:
    life = readings(3, 60)
    life[:, 3] = np.arange(60)
    _, given = device(life, TWO)
    columns = [place for place, name in enumerate(EXTRACTOR.under(TWO).names) if name.startswith("idle.")]
    assert not np.nan_to_num(np.array(given)[:, columns]).any()


def test_one_reading_in_an_unknown_condition_is_skipped_and_counted() -> None:
    life = np.tile([100.0, 3.5, 12.0, 7.0], (40, 1))
    life[20] = [777.0, 1e6, -1e6, 7.0]
    _, given = device(life, TWO)
    known = dict(zip(EXTRACTOR.under(TWO).names, given[-1].tolist(), strict=True))
    assert known["pressure.mean30"] == known["pressure.mean5"] == 1.0
    assert known["pressure.std30"] == known["pressure.slope30"] == known["pressure.from_start"] == 0.0
    assert known["unknown"] == pytest.approx(1 / 40)


def test_a_machine_run_mostly_in_unknown_conditions_gets_no_inputs_until_it_is_known_again() -> None:
    life = np.tile([100.0, 3.0, 10.0, 7.0], (40, 1))
    life[20:26, 0] = 777.0
    _, given = device(life, TWO)
    assert np.flatnonzero(np.isnan(np.array(given)[:, 0])).tolist() == [25, 26, 27, 28, 29]


def test_a_replaced_device_starts_a_new_memory_at_the_hub_too() -> None:
    first, _ = device(readings(1, 50), TWO)
    second, given = device(readings(2, 50), TWO)
    found = EXTRACTOR.under(TWO).derive_batch([*first, *second])
    np.testing.assert_array_equal(found[len(first) :], given)


def test_rows_are_readings_and_need_no_table() -> None:
    assert EXTRACTOR.names == ("speed.last", "pressure.last", "flow.last", "idle.last", "age")
    assert EXTRACTOR.units == ("1", "bar", "1", "1", "{reading}")
    rows = EXTRACTOR.batch(range(3), [[1, 2, 3, np.nan], [np.nan, 5, 6, 7], [8, np.nan, 9, 10]])
    assert np.isnan(rows[0]).all()
    assert rows[1:].tolist() == [[1, 5, 6, 7, 2], [8, 5, 9, 10, 3]]


def test_names_and_units_of_inputs_say_what_they_are() -> None:
    under = EXTRACTOR.under(TWO)
    assert under.names[:7] == tuple(
        f"pressure.{name}"
        for name in ("mean5", "mean10", "mean30", "mean60", "std30", "slope30", "from_start")
    )
    assert under.names[-2:] == ("age", "unknown")
    assert under.units[4:7] == ("1", "1/{reading}", "1")
    assert len(under.names) == len(under.units) == under.width == 23


def test_the_nearest_condition_holds_unless_it_is_too_far_or_the_setting_is_missing() -> None:
    found = assign(TWO, [[[99.0], [106.0]], [[np.nan], [198.0]]])
    assert found.tolist() == [[0, UNKNOWN], [UNKNOWN, 1]]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"radius": (1.0,)}, "other sizes of radius"),
        ({"mean": ((1.0,), (1.0,))}, "other sizes of mean"),
        ({"scale": (0.0,)}, "scales above 0"),
        ({"centres": ((1.0,), (np.nan,))}, "finite numbers"),
    ],
)
def test_a_table_that_does_not_hold_together_is_refused(changes: dict, text: str) -> None:
    with pytest.raises(KernelInputError, match=text):
        replace(TWO, **changes)


def test_a_table_of_other_signals_is_refused_by_their_names() -> None:
    with pytest.raises(KernelInputError, match="got a table of torque"):
        EXTRACTOR.under(replace(TWO, signals=("torque",)))
    with pytest.raises(KernelInputError, match="of each scalar, then age"):
        of_rows(("pressure.mean5", "age"), ("bar", "1"), TWO)


def test_the_memory_of_other_signals_is_refused() -> None:
    other = sets.make("condition-trend/1", scalars=[*SCALARS[:3], "torque"])
    with pytest.raises(KernelStateError, match="have changed"):
        other.restore(EXTRACTOR.initial().to_bytes())


def test_a_turbofan_reading_and_what_it_means_take_well_under_400_microseconds() -> None:
    names = [f"s{number}" for number in range(24)]
    made = sets.make("condition-trend/1", scalars=names)
    table = ConditionTable(
        signals=("s0", "s1", "s2"),
        scale=(1.0,) * 3,
        centres=tuple((10.0 * number, 0.0, 0.0) for number in range(6)),
        radius=(9.0,) * 6,
        scalars=tuple(names[3:]),
        mean=((0.0,) * 21,) * 6,
        spread=((1.0,) * 21,) * 6,
    )
    under, state, seconds = made.under(table), made.initial(), []
    for index, reading in enumerate(np.random.default_rng(1).normal(size=(300, 24))):
        begin = time.thread_time()
        made.update(state, index, reading)
        under.derive(state)
        seconds.append(time.thread_time() - begin)
    assert np.median(seconds) < 400e-6
