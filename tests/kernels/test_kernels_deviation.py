"""deviation/1: a machine measured by its own beginning, the same on the device and at the hub."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import sets
from kernels.deviation import CAP, EXTREMES, FOLLOW, OPENING
from kernels.errors import KernelInputError, KernelStateError
from kernels.extractor import Extractor

seeds = st.integers(0, 2**32 - 1)


def extractor(scalars: int) -> Extractor:
    return sets.make("deviation/1", scalars=[f"s{number}" for number in range(scalars)])


def readings(seed: int, count: int, width: int = 3) -> NDArray:
    """Noise around levels of any size, with steps and missing values."""
    rng = np.random.default_rng(seed)
    level, spread = rng.normal(scale=10.0 ** rng.integers(-3, 5, width)), 10.0 ** rng.integers(-3, 3, width)
    made = level + spread * rng.normal(size=(count, width))
    made[rng.integers(count) :] += rng.choice([0.0, 1.0, 30.0]) * spread
    made[rng.random(made.shape) < 0.05] = np.nan
    return made


def stepwise(made: Extractor, life: NDArray, restart: int = -1) -> NDArray[np.float32]:
    state, rows = made.initial(), []
    for index, reading in enumerate(life):
        if index == restart:
            state = made.restore(state.to_bytes())
        row = made.update(state, index, reading)
        rows.append(np.full(made.width, np.nan, np.float32) if row is None else row)
    return np.array(rows)


def meaning(life: NDArray) -> NDArray:
    """What deviation/1 says of one scalar that moves and lacks no value, in plain NumPy."""
    middle = np.sort(life[:OPENING])[EXTREMES:-EXTREMES]
    reach = max(5 * middle.std(), 2.5e-4 * abs(middle.mean()))
    opening = np.clip(life[:OPENING], middle.mean() - reach, middle.mean() + reach)
    reference, least = opening.mean(), max(opening.std(), 2.5e-4 * abs(opening.mean()))
    steps = np.abs(np.diff(life))
    means, rows = np.array([reference, reference]), np.full((len(life), 2), np.nan)
    for index, value in enumerate(life[OPENING:], start=OPENING):
        seen = steps[:index]
        spread = max(least, seen[seen > 0].min())
        means += (np.clip(value, reference - 4 * spread, reference + 4 * spread) - means) / [5, 20]
        off = (means[1] - reference) / spread
        reference += max(0.0, 1 - (off / 3) ** 2) ** 2 * (means[1] - reference) / 1600
        rows[index] = (means - reference) / spread
    return rows


@settings(deadline=None, max_examples=20)
@given(seed=seeds, count=st.integers(1, 500), restart=st.integers(0, 500))
def test_a_life_at_once_is_what_a_device_made_of_it_across_a_restart(
    seed: int, count: int, restart: int
) -> None:
    life, made = readings(seed, count), extractor(3)
    np.testing.assert_array_equal(made.batch(np.arange(count), life), stepwise(made, life, restart))


@settings(deadline=None, max_examples=20)
@given(
    seed=seeds,
    step=st.sampled_from([0.0, 1.0, -2.5, 50.0]),
    glitches=st.lists(st.tuples(st.integers(0, OPENING - 1), st.sampled_from([-1e6, 3.0, 1e9])), max_size=12),
    digits=st.sampled_from([0, 6]),
)
def test_deviations_are_what_plain_numpy_says(
    seed: int, step: float, glitches: list[tuple[int, float]], digits: int
) -> None:
    life = np.round(7.0 + np.random.default_rng(seed).normal(size=420), digits)
    life[300:] += step
    for place, value in glitches:
        life[place] = value
    got = extractor(1).batch(np.arange(len(life)), life[:, None])
    np.testing.assert_allclose(got, meaning(life), rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(seed=seeds, cut=st.integers(1, 500))
def test_a_row_never_depends_on_a_later_reading(seed: int, cut: int) -> None:
    life, made = readings(seed, 500), extractor(3)
    np.testing.assert_array_equal(made.batch(range(cut), life[:cut]), made.batch(range(500), life)[:cut])


def test_the_opening_makes_no_row_and_missing_values_do_not_shorten_it() -> None:
    life = np.ones((OPENING + 3, 2))
    life[0, 1] = np.nan  # the opening begins when every scalar was seen
    rows = extractor(2).batch(range(len(life)), life)
    assert np.isnan(rows).all(axis=1).tolist() == [True] * (OPENING + 1) + [False] * 2


def test_machines_that_differ_in_level_and_scale_look_the_same() -> None:
    noise = np.random.default_rng(3).normal(size=(400, 1))
    noise[300:] -= 2.0
    small, large = (
        extractor(1).batch(range(400), level + scale * noise)
        for level, scale in [(0.03, 0.001), (230.0, 11.0)]
    )
    np.testing.assert_allclose(small, large, rtol=1e-4, atol=1e-4)
    assert small[-1, 1] == pytest.approx(-2.0, abs=0.5)


def test_a_constant_signal_deviates_by_nothing_and_by_its_cap_once_it_is_far_off_in_its_own_digits() -> None:
    life = np.full((OPENING + 160, 1), 24.5)
    life[OPENING + 30 :, 0] = 25.0 + 0.1 * (np.arange(130) % 2)
    rows = extractor(1).batch(range(len(life)), life)[OPENING:]
    assert not rows[:30].any()
    assert (rows[30:] > 0).all()
    assert rows[-1] == pytest.approx([CAP, CAP], abs=0.01)


@pytest.mark.parametrize(("level", "digit"), [(230.0, 0.1), (0.0, 0.328), (1013.0, 1.0), (-20.0, 0.001)])
def test_a_last_digit_of_a_signal_that_was_constant_is_no_anomaly_and_becomes_the_reference(
    level: float, digit: float
) -> None:
    life = np.full((OPENING + 5 * FOLLOW, 1), level)
    life[OPENING + 10 :] += digit
    rows = extractor(1).batch(range(len(life)), life)[OPENING:]
    assert 0 < rows.max() <= 2.0
    assert rows[-1] == pytest.approx([0.0, 0.0], abs=0.2)


@pytest.mark.parametrize(
    "places", [(0,), (100,), (OPENING - 1,), tuple(range(0, OPENING, OPENING // EXTREMES))]
)
def test_a_few_wild_readings_of_the_opening_hide_no_later_fault(places: tuple[int, ...]) -> None:
    noise = np.random.default_rng(6).normal(size=(600, 1))
    noise[400:] += 5.0
    wild = noise.copy()
    wild[list(places)] = 1e6
    made = extractor(1)
    tame, rows = (made.batch(range(600), life)[OPENING:] for life in (noise, wild))
    assert np.abs(rows[:200, 1]).max() < 1.5
    assert rows[-1, 1] > 3.0
    np.testing.assert_allclose(rows, tame, atol=1.5)


def test_one_wild_reading_of_a_constant_opening_blinds_it_only_until_its_digits_are_seen() -> None:
    life = np.full((OPENING + 200, 1), 230.0)
    life[50] = 1e6
    life[OPENING + 50 :, 0] = 250.0 + 0.1 * (np.arange(150) % 2)
    rows = extractor(1).batch(range(len(life)), life)[OPENING:]
    assert np.abs(rows[:50]).max() < 1e-6
    assert rows[-1, 1] == pytest.approx(CAP, abs=0.01)


def test_a_wild_reading_cannot_say_more_than_the_cap() -> None:
    life = np.random.default_rng(4).normal(size=(OPENING + 2, 1))
    tame, wild = life.copy(), life.copy()
    tame[-1], wild[-1] = 5.0, 1e9
    made = extractor(1)
    assert made.batch(range(len(life)), wild)[-1].tolist() == made.batch(range(len(life)), tame)[-1].tolist()


def test_what_stays_near_becomes_the_reference_and_what_is_far_never_does() -> None:
    noise = np.random.default_rng(5).normal(size=(OPENING + 4 * FOLLOW, 2))
    noise[OPENING + 100 :] += [1.0, 4.0]
    rows = extractor(2).batch(range(len(noise)), noise)
    slow = rows[-FOLLOW:, [1, 3]].mean(axis=0)
    assert abs(slow[0]) < 0.2
    assert slow[1] > 3.0


def test_an_infinite_reading_is_refused_by_name_and_leaves_the_state_alone() -> None:
    made = extractor(2)
    state = made.initial()
    made.update(state, 0, [1.0, 2.0])
    before = state.to_bytes()
    with pytest.raises(KernelInputError, match="s1: expected NaN or a value within ±1e\\+30, got inf"):
        made.update(state, 1, [1.0, np.inf])
    assert state.to_bytes() == before
    with pytest.raises(KernelStateError, match="bytes of feature state"):
        extractor(3).restore(before)


def test_a_reading_of_eight_signals_takes_well_under_200_microseconds() -> None:
    made, state, seconds = extractor(8), extractor(8).initial(), []
    for index, reading in enumerate(np.random.default_rng(1).normal(size=(300, 8))):
        begin = time.perf_counter()
        made.update(state, index, reading)
        seconds.append(time.perf_counter() - begin)
    assert np.median(seconds) < 200e-6
