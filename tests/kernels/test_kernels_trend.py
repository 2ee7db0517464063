"""trend/1: causal, the same on the device and at the hub, and exact where nothing changes."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import sets
from kernels.errors import KernelInputError, KernelStateError
from kernels.extractor import Extractor

values = st.floats(-1e6, 1e6, width=32) | st.just(np.nan) | st.just(7.25)
lives = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(values, min_size=width, max_size=width), min_size=1, max_size=70)
)


def extractor(scalars: int) -> Extractor:
    return sets.make("trend/1", scalars=[f"s{number}" for number in range(scalars)])


def stepwise(made: Extractor, life: NDArray) -> NDArray[np.float32]:
    state, rows = made.initial(), []
    for index, reading in enumerate(life):
        row = made.update(state, index, reading)
        rows.append(np.full(made.width, np.nan, np.float32) if row is None else row)
    return np.array(rows)


def meaning(life: NDArray) -> NDArray:
    """What trend/1 is, row by row from the whole past, in plain NumPy."""
    held = life.copy()
    for index in range(1, len(held)):
        held[index] = np.where(np.isnan(held[index]), held[index - 1], held[index])
    begin = int(np.isnan(held).any(axis=1).sum())  # rows before every scalar was seen
    rows = np.full((len(life), life.shape[1] * 8 + 1), np.nan)
    for index in range(begin, len(life)):
        past = held[begin : index + 1]
        columns = [_describe(past[:, column]) for column in range(life.shape[1])]
        rows[index] = [*np.concatenate(columns), index + 1]
    return rows


def _describe(past: NDArray) -> list[float]:
    recent = past[-30:]
    slope = np.polyfit(np.arange(len(recent)), recent, 1)[0] if len(recent) > 1 else 0.0
    mean10 = past[-10:].mean()
    return [
        past[-1],
        past[-5:].mean(),
        mean10,
        recent.mean(),
        recent.std(),
        slope,
        past.mean(),
        mean10 - past[:10].mean(),
    ]


@given(life=lives)
def test_the_hub_computes_a_life_at_once_as_the_device_did_reading_by_reading(life: list) -> None:
    readings = np.array(life)
    made = extractor(readings.shape[1])
    np.testing.assert_array_equal(made.batch(np.arange(len(life)), readings), stepwise(made, readings))


@settings(deadline=None)
@given(life=lives)
def test_trends_are_what_plain_numpy_says(life: list) -> None:
    readings = np.array(life)
    scale = max(1.0, float(np.nanmax(np.abs(readings), initial=0.0)))
    got = extractor(readings.shape[1]).batch(np.arange(len(life)), readings)
    np.testing.assert_allclose(got, meaning(readings), rtol=1e-6, atol=1e-6 * scale)


@given(life=lives, cut=st.integers(0, 70))
def test_a_row_never_depends_on_a_later_reading(life: list, cut: int) -> None:
    readings = np.array(life)
    made = extractor(readings.shape[1])
    head = readings[: min(cut, len(life))]
    if len(head):
        np.testing.assert_array_equal(
            made.batch(range(len(head)), head), stepwise(made, readings)[: len(head)]
        )


@given(life=lives, cut=st.integers(0, 70))
def test_a_restored_state_continues_as_if_nothing_had_happened(life: list, cut: int) -> None:
    readings = np.array(life)
    made = extractor(readings.shape[1])
    state, rows = made.initial(), []
    for index, reading in enumerate(readings):
        if index == cut:
            state = made.restore(state.to_bytes())
        row = made.update(state, index, reading)
        rows.append(np.full(made.width, np.nan, np.float32) if row is None else row)
    np.testing.assert_array_equal(np.array(rows), stepwise(made, readings))


@given(value=st.floats(-1e9, 1e9), count=st.integers(1, 80))
def test_a_constant_signal_has_no_spread_no_slope_and_no_change(value: float, count: int) -> None:
    made = extractor(1)
    rows = made.batch(np.arange(count), np.full((count, 1), value))
    found = dict(zip(made.names, rows.T, strict=True))
    for feature in ("std30", "slope30", "from_start"):
        assert not found[f"s0.{feature}"].any()
    for feature in ("last", "mean5", "mean10", "mean30", "mean_life"):
        assert (found[f"s0.{feature}"] == np.float32(value)).all()
    assert found["age"].tolist() == list(range(1, count + 1))


def test_no_row_is_made_until_every_scalar_was_seen_and_a_missing_one_holds() -> None:
    made = extractor(2)
    rows = made.batch(range(3), [[1.0, np.nan], [np.nan, 5.0], [3.0, np.nan]])
    assert np.isnan(rows[0]).all()
    assert rows[1:, [0, 8, 16]].tolist() == [[1.0, 5.0, 2.0], [3.0, 5.0, 3.0]]


def test_an_infinite_reading_is_refused_by_name_and_leaves_the_state_alone() -> None:
    made = extractor(2)
    state = made.initial()
    made.update(state, 0, [1.0, 2.0])
    before = state.to_bytes()
    with pytest.raises(KernelInputError, match="s1: expected NaN or a value within ±1e\\+30, got inf"):
        made.update(state, 1, [1.0, np.inf])
    with pytest.raises(KernelInputError, match="expected 2 values a reading"):
        made.update(state, 1, [1.0])
    assert state.to_bytes() == before


def test_the_state_of_other_signals_is_refused() -> None:
    state = extractor(2).initial().to_bytes()
    with pytest.raises(KernelStateError, match="bytes of feature state"):
        extractor(3).restore(state)
    renamed = sets.make("trend/1", scalars=["a", "b"])
    with pytest.raises(KernelStateError, match="have changed"):
        renamed.restore(state)


def test_names_and_units_say_what_a_feature_is() -> None:
    made = sets.make("trend/1", scalars=["pressure"], units={"pressure": "bar"})
    assert made.names == (
        "pressure.last",
        "pressure.mean5",
        "pressure.mean10",
        "pressure.mean30",
        "pressure.std30",
        "pressure.slope30",
        "pressure.mean_life",
        "pressure.from_start",
        "age",
    )
    assert set(made.units) == {"bar", "(bar)/{reading}", "{reading}"}
    assert made.width == len(made.units) == 9


def test_a_turbofan_reading_takes_well_under_200_microseconds() -> None:
    made = extractor(24)
    readings = np.random.default_rng(1).normal(size=(300, 24))
    stepwise(made, readings[:2])
    state, seconds = made.initial(), []
    for index, reading in enumerate(readings):
        begin = time.perf_counter()
        made.update(state, index, reading)
        seconds.append(time.perf_counter() - begin)
    assert np.median(seconds) < 200e-6
